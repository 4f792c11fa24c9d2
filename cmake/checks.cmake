# SPDX-License-Identifier: Apache-2.0
# Copyright The Idlewatt Authors
#
# The layer check is part of every full build: a forbidden #include fails it.
file(GLOB_RECURSE idlewatt_checked CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/*.cpp ${PROJECT_SOURCE_DIR}/src/*.hpp
    ${PROJECT_SOURCE_DIR}/src/*/CMakeLists.txt ${PROJECT_SOURCE_DIR}/apps/*.[ch]pp
    ${PROJECT_SOURCE_DIR}/tests/*.[ch]pp ${PROJECT_SOURCE_DIR}/bench/*.[ch]pp)
add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/layers.stamp
    COMMAND ${PROJECT_SOURCE_DIR}/tools/layers ${PROJECT_SOURCE_DIR}
    COMMAND ${CMAKE_COMMAND} -E touch ${CMAKE_BINARY_DIR}/layers.stamp
    DEPENDS ${idlewatt_checked} ${PROJECT_SOURCE_DIR}/tools/layers
        ${PROJECT_SOURCE_DIR}/tools/layers.awk ${PROJECT_SOURCE_DIR}/tools/includes.table
    COMMENT "Checking the layers" VERBATIM)
add_custom_target(layers ALL DEPENDS ${CMAKE_BINARY_DIR}/layers.stamp)
add_dependencies(programs layers)

if(IDLEWATT_TESTS)
    add_test(NAME layers_selftest COMMAND ${PROJECT_SOURCE_DIR}/tools/layers --self-test)
    add_test(NAME tidy_selftest COMMAND ${PROJECT_SOURCE_DIR}/tools/tidy --self-test)
    add_test(NAME tiers_selftest COMMAND ${CMAKE_COMMAND} -P ${PROJECT_SOURCE_DIR}/cmake/tiers_test.cmake)
    add_test(NAME frame_selftest COMMAND ${PROJECT_SOURCE_DIR}/cmake/frame_test)
    add_test(NAME engine_bundle_selftest COMMAND ${PROJECT_SOURCE_DIR}/tools/engine-bundle-test)
    set_tests_properties(layers_selftest tidy_selftest tiers_selftest frame_selftest engine_bundle_selftest
        PROPERTIES LABELS fast TIMEOUT 120)
endif()
