// A skill of the second ABI: it tells on the bus which version of it did what, answers intents, and sets timers.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define IMPORT(name) __attribute__((import_module("loqa"), import_name(#name)))

IMPORT(publish) int loqa_publish(const char* subject, int subject_size, const char* payload, int payload_size);
IMPORT(respond) int loqa_respond(const char* payload, int payload_size);
IMPORT(timer_set)
int loqa_timer_set(const char* name, int name_size, long long delay_ms, const char* payload, int size);

#ifndef VERSION
#define VERSION "1"
#endif

#ifdef BROKEN
extern "C" __attribute__((export_name("loqa_selftest"))) int selftest() { return 3; }
#endif

extern "C" __attribute__((export_name("run"))) void run() {
    const char* kind = getenv("LOQA_EVENT_KIND");
    const char* payload = getenv("LOQA_EVENT_PAYLOAD");
    if (strcmp(kind, "intent") == 0) {
        const char* answer = "{\"handled\":true,\"speech\":\"Here is your coffee.\"}";
        loqa_respond(answer, (int)strlen(answer));
        return;
    }
    if (strncmp(payload, "timer ", 6) == 0) {
        loqa_timer_set("later", 5, strtol(payload + 6, NULL, 10), "rang", 4);
        return;
    }
#ifdef SLOW
    const struct timespec wait = {0, 30000000};
    nanosleep(&wait, NULL);
#endif
    char text[300];
    snprintf(text, sizeof text, "{\"what\":\"%.100s\",\"version\":\"%s\",\"id\":\"%s\"}", payload, VERSION,
             getenv("LOQA_INVOCATION_ID"));
    loqa_publish("skill.worker.done", 17, text, (int)strlen(text));
}
