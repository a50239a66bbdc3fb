//! A skill in Rust, of the second ABI: it counts how often it was asked, and answers with that.

use std::env;

mod host {
    #[link(wasm_import_module = "loqa")]
    extern "C" {
        pub fn log(level: i32, text: *const u8, size: usize);
        pub fn respond(payload: *const u8, size: usize) -> i32;
        pub fn answer(to: *mut u8, capacity: usize) -> i32;
        pub fn kv_get(key: *const u8, size: usize) -> i32;
        pub fn kv_set(key: *const u8, key_size: usize, value: *const u8, size: usize) -> i32;
    }
}

fn log(line: &str) {
    unsafe { host::log(1, line.as_ptr(), line.len()) }
}

fn respond(payload: &str) -> bool {
    unsafe { host::respond(payload.as_ptr(), payload.len()) == 0 }
}

fn kept(key: &str) -> Option<String> {
    let size = unsafe { host::kv_get(key.as_ptr(), key.len()) };
    let mut out = vec![0; usize::try_from(size).ok()?];
    unsafe { host::answer(out.as_mut_ptr(), out.len()) };
    String::from_utf8(out).ok()
}

fn keep(key: &str, value: &str) -> bool {
    unsafe { host::kv_set(key.as_ptr(), key.len(), value.as_ptr(), value.len()) == 0 }
}

#[no_mangle]
pub extern "C" fn run() {
    let asked = kept("asked").and_then(|text| text.parse::<u32>().ok()).unwrap_or(0) + 1;
    assert!(keep("asked", &asked.to_string()), "the host does not keep it");
    log(&format!("asked on {}", env::var("LOQA_EVENT_SUBJECT").unwrap_or_default()));
    assert!(respond(&format!("{{\"asked\":{}}}", asked)), "nobody waits for the answer");
}
