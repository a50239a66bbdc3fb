# How every target of the project is built: one set of warnings, one shape for modules, apps and their tests.

add_library(loqa_flags INTERFACE)
target_compile_options(loqa_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow=local -Wconversion -Wno-sign-conversion
    -Wno-missing-field-initializers -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(loqa_flags INTERFACE -Wno-restrict)  # false on std::string's operator+, GCC bug 105651
endif()
target_include_directories(loqa_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
if(LOQA_SANITIZE)
    # Warnings are g++'s to give. Without the checks of pointers that AddressSanitizer's own findings cover: these would make up
    # most of what compiling costs.
    target_compile_options(loqa_flags INTERFACE -fsanitize=${LOQA_SANITIZE} -fno-omit-frame-pointer -g1 -w)
    target_compile_definitions(loqa_flags INTERFACE LOQA_SANITIZED)
    target_link_options(loqa_flags INTERFACE -fsanitize=${LOQA_SANITIZE})
    if(LOQA_SANITIZE MATCHES undefined)
        target_compile_options(loqa_flags INTERFACE -fno-sanitize-recover=undefined -fno-sanitize=null,object-size)
    endif()
    # clang reads libstdc++ 12's <expected> only when told that the language has what it asks for.
    target_compile_options(loqa_flags INTERFACE -D__cpp_concepts=202002L)
endif()

find_program(LOQA_CCACHE ccache)
if(LOQA_CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${LOQA_CCACHE})
    set(CMAKE_C_COMPILER_LAUNCHER ${LOQA_CCACHE})
endif()
find_program(LOQA_MOLD mold)
if(LOQA_MOLD)
    add_link_options(-fuse-ld=mold)
endif()

# Data files that the binaries read (intents, model list, sounds) are found at <binary>/../share/loqa.
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/share)
file(CREATE_LINK ${CMAKE_SOURCE_DIR}/share ${CMAKE_BINARY_DIR}/share/loqa SYMBOLIC)

add_custom_target(unit_tests)

# loqa_unit_test(TARGET): what holds for every unit test's binary.
function(loqa_unit_test target)
    add_dependencies(unit_tests ${target})
    # Compiling takes longer than testing: all sources as one, and only what is tested is optimised.
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests
                          UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 0)
    if(NOT LOQA_SANITIZE)
        target_compile_options(${target} PRIVATE -O1)
    endif()
endfunction()

# loqa_module(NAME [DEPENDS targets…] [PRIVATE targets…] [TEST_DEPENDS targets…])
# The module of the folder it is called in: *.cpp make the library loqa::NAME, tests/*.cpp make NAME_test.
function(loqa_module name)
    cmake_parse_arguments(arg "" "" "DEPENDS;PRIVATE;TEST_DEPENDS" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
    if(sources)
        add_library(loqa_${name} STATIC ${sources})
        target_link_libraries(loqa_${name} PUBLIC loqa_flags ${arg_DEPENDS} PRIVATE ${arg_PRIVATE})
    else()
        add_library(loqa_${name} INTERFACE)
        target_link_libraries(loqa_${name} INTERFACE loqa_flags ${arg_DEPENDS})
    endif()
    add_library(loqa::${name} ALIAS loqa_${name})

    file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/tests/*.cpp
         ${CMAKE_CURRENT_SOURCE_DIR}/tests/regression/*.cpp)
    if(tests)
        add_executable(${name}_test ${tests})
        target_link_libraries(${name}_test PRIVATE loqa::${name} ${arg_TEST_DEPENDS} ${arg_PRIVATE} GTest::gmock GTest::gtest_main)
        target_compile_definitions(${name}_test PRIVATE LOQA_TEST_DATA="${CMAKE_CURRENT_SOURCE_DIR}/tests/data"
                                   LOQA_SHARE="${CMAKE_SOURCE_DIR}/share" LOQA_CACHE="${LOQA_CACHE_DIR}")
        # One ctest entry a binary: starting a binary costs more than most of its tests.
        add_test(NAME ${name} COMMAND ${name}_test)
        loqa_unit_test(${name}_test)
        set_tests_properties(${name} PROPERTIES TIMEOUT 300)
    endif()
endfunction()

# loqa_app(NAME [DEPENDS targets…]): the binary NAME from the *.cpp of the folder it is called in.
function(loqa_app name)
    cmake_parse_arguments(arg "" "" "DEPENDS" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
    add_executable(${name} ${sources})
    target_link_libraries(${name} PRIVATE loqa_flags ${arg_DEPENDS})
    target_compile_definitions(${name} PRIVATE LOQA_VERSION="${PROJECT_VERSION}")
endfunction()
