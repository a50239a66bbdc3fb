# What the project stands on; docs/dependencies.md says why each was chosen. Debian packages are found as such, engines stand
# in LOQA_CACHE_DIR where scripts/setup.sh unpacked them.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(GTest REQUIRED)
find_package(benchmark REQUIRED)
find_package(prometheus-cpp REQUIRED)
pkg_check_modules(sodium REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(curl REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(nats REQUIRED IMPORTED_TARGET libnats)
pkg_check_modules(samplerate REQUIRED IMPORTED_TARGET samplerate)
pkg_check_modules(speexdsp REQUIRED IMPORTED_TARGET speexdsp)
pkg_check_modules(portaudio REQUIRED IMPORTED_TARGET portaudio-2.0)
pkg_check_modules(httplib REQUIRED IMPORTED_TARGET cpp-httplib)

# sherpa-onnx with the ONNX Runtime it was built for: shared libraries and a C header, taken out of a wheel.
set(LOQA_SHERPA_DIR ${LOQA_CACHE_DIR}/engines/sherpa-onnx)
if(NOT EXISTS ${LOQA_SHERPA_DIR}/lib/libonnxruntime.so)
    message(FATAL_ERROR "${LOQA_SHERPA_DIR} has no sherpa-onnx. Run: scripts/setup.sh")
endif()
foreach(lib sherpa-onnx-c-api onnxruntime)
    add_library(loqa_engine_${lib} SHARED IMPORTED)
    set_target_properties(loqa_engine_${lib} PROPERTIES IMPORTED_LOCATION ${LOQA_SHERPA_DIR}/lib/lib${lib}.so)
endforeach()
set_target_properties(loqa_engine_sherpa-onnx-c-api PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES ${LOQA_SHERPA_DIR}/include
    INTERFACE_LINK_LIBRARIES loqa_engine_onnxruntime)

# wasmtime: a shared library out of a wheel, and a header made from the wheel's bindings.
set(LOQA_WASMTIME_DIR ${LOQA_CACHE_DIR}/engines/wasmtime)
if(NOT EXISTS ${LOQA_WASMTIME_DIR}/include/wasmtime.h)
    message(FATAL_ERROR "${LOQA_WASMTIME_DIR} has no wasmtime. Run: scripts/setup.sh")
endif()
add_library(loqa_engine_wasmtime SHARED IMPORTED)
set_target_properties(loqa_engine_wasmtime PROPERTIES IMPORTED_LOCATION ${LOQA_WASMTIME_DIR}/lib/libwasmtime.so
    IMPORTED_NO_SONAME TRUE INTERFACE_INCLUDE_DIRECTORIES ${LOQA_WASMTIME_DIR}/include)
