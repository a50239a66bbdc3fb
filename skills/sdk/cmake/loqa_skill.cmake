# loqa_add_skill(NAME SOURCES file.cpp… MANIFEST skill.yaml [OUTPUT folder])
#
# Compiles the sources to the module that the manifest names, into OUTPUT (the folder of the CMakeLists.txt by default), and
# puts the manifest there where it is not yet. The target NAME is part of `all`. Works in any CMake project, with any
# language or none: the compiler is Debian's clang for WebAssembly, not the project's.
#
#     include(path/to/sdk/cmake/loqa_skill.cmake)
#     loqa_add_skill(hello SOURCES hello.cpp MANIFEST skill.yaml)
include_guard(GLOBAL)

get_filename_component(LOQA_SDK "${CMAKE_CURRENT_LIST_DIR}/.." ABSOLUTE)
find_program(LOQA_WASM_CXX NAMES clang++-19 clang++-18 DOC "clang++ with wasi-libc, libc++ and compiler-rt for wasm32")

function(loqa_add_skill name)
    cmake_parse_arguments(arg "" "MANIFEST;OUTPUT" "SOURCES" ${ARGN})
    if(NOT arg_SOURCES OR NOT arg_MANIFEST OR arg_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "loqa_add_skill(NAME SOURCES file.cpp… MANIFEST skill.yaml [OUTPUT folder])")
    endif()
    if(NOT LOQA_WASM_CXX)
        message(FATAL_ERROR "There is no clang++ for WebAssembly. On Debian: apt-get install clang-19 lld-19 wasi-libc "
                            "libc++-19-dev-wasm32 libc++abi-19-dev-wasm32 libclang-rt-19-dev-wasm32")
    endif()
    get_filename_component(manifest "${arg_MANIFEST}" ABSOLUTE)
    if(NOT arg_OUTPUT)
        get_filename_component(arg_OUTPUT "${manifest}" DIRECTORY)
    endif()
    file(STRINGS "${manifest}" line REGEX "^ +module: ")
    string(REGEX REPLACE "^ +module: *\"?([^\" #]+).*$" "\\1" module "${line}")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${manifest}")
    set(made "${arg_OUTPUT}/${module}")
    get_filename_component(folder "${made}" DIRECTORY)
    file(MAKE_DIRECTORY "${folder}")

    set(objects)
    foreach(source IN LISTS arg_SOURCES)
        get_filename_component(path "${source}" ABSOLUTE)
        get_filename_component(stem "${source}" NAME_WE)
        set(object "${CMAKE_CURRENT_BINARY_DIR}/${name}.${stem}.o")
        add_custom_command(
            OUTPUT "${object}"
            COMMAND "${LOQA_WASM_CXX}" --target=wasm32-wasi -std=c++20 -Oz -fno-exceptions -fno-rtti -Wall -Wextra -Wno-missing-designated-field-initializers
                    -ffunction-sections -fdata-sections "-I${LOQA_SDK}/include" -MD -MF "${object}.d" -c "${path}" -o "${object}"
            DEPENDS "${path}" DEPFILE "${object}.d"
            COMMENT "Compiling ${name} for WebAssembly" VERBATIM)
        list(APPEND objects "${object}")
    endforeach()
    add_custom_command(
        OUTPUT "${made}"
        COMMAND "${LOQA_WASM_CXX}" --target=wasm32-wasi -mexec-model=reactor -Wl,--gc-sections -s ${objects} -o "${made}"
        DEPENDS ${objects} VERBATIM)
    set(all "${made}")
    if(NOT "${arg_OUTPUT}/skill.yaml" STREQUAL "${manifest}")
        add_custom_command(OUTPUT "${arg_OUTPUT}/skill.yaml"
            COMMAND "${CMAKE_COMMAND}" -E copy "${manifest}" "${arg_OUTPUT}/skill.yaml" DEPENDS "${manifest}" VERBATIM)
        list(APPEND all "${arg_OUTPUT}/skill.yaml")
    endif()
    add_custom_target(${name} ALL DEPENDS ${all})
endfunction()
