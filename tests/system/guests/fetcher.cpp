// A skill of the second ABI that tries to see a secret it uses: "URL MASKED CONTROL" has it ask the URL with the secret
// in a header, and then look for two texts in all of its memory. They come with one added to each character, so that
// the message itself is not what it finds.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IMPORT(name) __attribute__((import_module("loqa"), import_name(#name)))

IMPORT(publish) int loqa_publish(const char* subject, int subject_size, const char* payload, int payload_size);
IMPORT(http) int loqa_http(const char* request, int request_size, const char* body, int body_size);
IMPORT(answer) int loqa_answer(char* to, int capacity);
IMPORT(config_get) int loqa_config_get(const char* key, int size);
IMPORT(secret_has) int loqa_secret_has(const char* name, int size);

static char got[32768];

static int times_in_memory(const char* masked) {
    const size_t size = strlen(masked), end = __builtin_wasm_memory_size(0) * 65536;
    int times = 0;
    for (size_t at = 1; at + size <= end; ++at) {
        const volatile char* here = (const volatile char*)at;
        size_t same = 0;
        while (same < size && (char)(here[same] + 1) == masked[same]) ++same;
        times += same == size;
    }
    return times;
}

extern "C" __attribute__((export_name("run"))) void run() {
    static char url[300], masked[100], control[100], request[600], told[300];
    sscanf(getenv("LOQA_EVENT_PAYLOAD"), "%299s %99s %99s", url, masked, control);
    const int size = snprintf(request, sizeof request,
                              "{\"url\":\"%s\",\"headers\":{\"Authorization\":\"Bearer {{secret:token}}\"}}", url);
    const int found = loqa_http(request, size, "", 0);
    const int taken = loqa_answer(got, sizeof got);
    const int length = snprintf(
        told, sizeof told, "{\"found\":%d,\"config\":%d,\"has\":%d,\"secret\":%d,\"control\":%d}", found,
        loqa_config_get("token", 5), loqa_secret_has("token", 5), times_in_memory(masked), times_in_memory(control));
    loqa_publish("skill.fetcher.answer", 20, got, taken);
    loqa_publish("skill.fetcher.done", 18, told, length);
}
