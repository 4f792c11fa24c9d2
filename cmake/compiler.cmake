# SPDX-License-Identifier: Apache-2.0
# Copyright The Idlewatt Authors
#
# Language, warnings, optimisation. Assertions stay on in every build: NDEBUG is never defined.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)

if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif()
# -g1: line numbers for stack traces at a third of the size and link time of -g.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g")

# In a bundle of sources a local name may well hide a name that a neighbour keeps to itself, and
# every one of them looks included.
if(NOT CMAKE_UNITY_BUILD)
    add_compile_options(-Wshadow)
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wshadow=local -Wno-subobject-linkage)
endif()
add_compile_options(-Wall -Wextra -Wpedantic -Wnon-virtual-dtor -Woverloaded-virtual
                    -Wimplicit-fallthrough -fstack-protector-strong
                    -ffile-prefix-map=${PROJECT_SOURCE_DIR}/=)
add_compile_definitions(_GLIBCXX_ASSERTIONS)
if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug" AND NOT IDLEWATT_SANITIZE)
    add_compile_definitions(_FORTIFY_SOURCE=2)
endif()
if(IDLEWATT_WERROR STREQUAL "AUTO")
    # The warnings were cleaned for Debian 12's compiler; a newer one may find more without stopping a user.
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
        add_compile_options(-Werror)
    endif()
elseif(IDLEWATT_WERROR)
    add_compile_options(-Werror)
endif()
if(IDLEWATT_SANITIZE)
    # What a sanitizer finds ends the test.
    add_compile_options(-fsanitize=${IDLEWATT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${IDLEWATT_SANITIZE})
endif()

# Faster where they happen to be installed; nothing needs them.
find_program(IDLEWATT_CCACHE ccache)
if(IDLEWATT_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${IDLEWATT_CCACHE})
endif()
find_program(IDLEWATT_MOLD mold)
if(IDLEWATT_MOLD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 12.1)
    add_link_options(-fuse-ld=mold)
endif()
add_link_options(-Wl,-z,relro,-z,now)

find_package(Threads REQUIRED)
link_libraries(Threads::Threads)
