// A skill of the second ABI that tells of a thing at home, and does nothing with it.
#define IMPORT(name) __attribute__((import_module("loqa"), import_name(#name)))

IMPORT(home_learn) int loqa_home_learn(const char* home, int size);

extern "C" __attribute__((export_name("run"))) void run() {
    static const char home[] =
        "{\"floors\":[],\"areas\":[],\"entities\":[{\"id\":\"light.attic_lamp\",\"name\":\"Attic Lamp\",\"state\":"
        "\"off\"}]}";
    if (loqa_home_learn(home, sizeof home - 1) != 0) __builtin_trap();
}
