/* What the host gives to a skill (docs/skill-abi.md), as it is: for C, and for what skill.hpp stands on.
 *
 * A module imports only what it calls, and what it imports its manifest must permit. Texts are a pointer and a size. */
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LOQA_IMPORT(module, name) __attribute__((import_module(module), import_name(name)))

/* The first ABI. */
LOQA_IMPORT("env", "host_log") void loqa_v1_log(const char* text, int32_t size);
LOQA_IMPORT("env", "host_publish")
int32_t loqa_v1_publish(const char* subject, int32_t subject_size, const char* payload, int32_t size);

/* The second. */
LOQA_IMPORT("loqa", "log") void loqa_log(int32_t level, const char* text, int32_t size);
LOQA_IMPORT("loqa", "publish")
int32_t loqa_publish(const char* subject, int32_t subject_size, const char* payload, int32_t size);
LOQA_IMPORT("loqa", "respond") int32_t loqa_respond(const char* payload, int32_t size);
LOQA_IMPORT("loqa", "request")
int32_t loqa_request(const char* subject, int32_t subject_size, const char* payload, int32_t size, int32_t timeout_ms);
LOQA_IMPORT("loqa", "answer") int32_t loqa_answer(char* to, int32_t capacity);

LOQA_IMPORT("loqa", "kv_get") int32_t loqa_kv_get(const char* key, int32_t size);
LOQA_IMPORT("loqa", "kv_keys") int32_t loqa_kv_keys(const char* prefix, int32_t size);
LOQA_IMPORT("loqa", "kv_set") int32_t loqa_kv_set(const char* key, int32_t key_size, const char* value, int32_t size);
LOQA_IMPORT("loqa", "kv_delete") int32_t loqa_kv_delete(const char* key, int32_t size);

LOQA_IMPORT("loqa", "timer_set")
int32_t loqa_timer_set(const char* name, int32_t name_size, int64_t delay_ms, const char* payload, int32_t size);
LOQA_IMPORT("loqa", "timer_cancel") int32_t loqa_timer_cancel(const char* name, int32_t size);
LOQA_IMPORT("loqa", "timer_list") int32_t loqa_timer_list(void);

LOQA_IMPORT("loqa", "http")
int32_t loqa_http(const char* request, int32_t request_size, const char* body, int32_t body_size);
LOQA_IMPORT("loqa", "config_get") int32_t loqa_config_get(const char* key, int32_t size);
LOQA_IMPORT("loqa", "secret_has") int32_t loqa_secret_has(const char* name, int32_t size);

LOQA_IMPORT("loqa", "home_get") int32_t loqa_home_get(void);
LOQA_IMPORT("loqa", "home_learn") int32_t loqa_home_learn(const char* home, int32_t size);
LOQA_IMPORT("loqa", "home_update") int32_t loqa_home_update(const char* states, int32_t size);
LOQA_IMPORT("loqa", "events") int32_t loqa_events(int32_t limit);

#ifdef __cplusplus
}
#endif
