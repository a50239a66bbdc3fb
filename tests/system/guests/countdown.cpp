// A skill of the first ABI, as those written for loqa-core are: it sleeps for as long as the message says and tells on
// the bus when it begins and ends.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define IMPORT(name) __attribute__((import_module("env"), import_name(#name)))

IMPORT(host_log) void host_log(const char* text, int size);
IMPORT(host_publish) int host_publish(const char* subject, int subject_size, const char* payload, int payload_size);

static int publish(const char* subject, const char* payload) {
    return host_publish(subject, (int)strlen(subject), payload, (int)strlen(payload));
}

static void status(const char* state) {
    char text[200];
    snprintf(text, sizeof text, "{\"state\":\"%s\",\"invocation\":\"%s\"}", state, getenv("LOQA_INVOCATION_ID"));
    publish("skill.countdown.status", text);
}

extern "C" __attribute__((export_name("run"))) void run() {
    host_log("a countdown", 11);
    const char* payload = getenv("LOQA_EVENT_PAYLOAD");
    if (strcmp(payload, "crash") == 0) {
        fputs("as I was told\n", stderr);
        abort();
    }
    if (strcmp(payload, "spy") == 0) {
        char text[40];
        snprintf(text, sizeof text, "{\"code\":%d}", publish("session.ended", "{}"));
        publish("skill.countdown.status", text);
        return;
    }
    status("started");
    const long ms = strtol(payload, NULL, 10);
    const struct timespec wait = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&wait, NULL);
    status("completed");
}
