# SPDX-License-Identifier: Apache-2.0
# Copyright The Idlewatt Authors
#
# Proves that the rule of the tiers refuses what it must:  cmake -P cmake/tiers_test.cmake
# With CASE set, the script is one configuration that may fail; without, it runs them all.
cmake_minimum_required(VERSION 3.25)
include(${CMAKE_CURRENT_LIST_DIR}/tiers.cmake)
if(CASE)
    string(REPLACE " " ";" words "${CASE}")
    idlewatt_check_uses(${words})
    return()
endif()

function(idlewatt_expect EXPECTED CASE)
    execute_process(COMMAND ${CMAKE_COMMAND} "-DCASE=${CASE}" -P ${CMAKE_CURRENT_FUNCTION_LIST_FILE}
        RESULT_VARIABLE result OUTPUT_VARIABLE out ERROR_VARIABLE out)
    string(REGEX REPLACE "[ \n]+" " " out "${out}")
    if(EXPECTED STREQUAL "fine")
        if(NOT result EQUAL 0)
            message(SEND_ERROR "'${CASE}' must be allowed, but: ${out}")
        endif()
    elseif(result EQUAL 0 OR NOT out MATCHES "${EXPECTED}")
        message(SEND_ERROR "'${CASE}' must fail with '${EXPECTED}', but: ${out}")
    endif()
endfunction()

idlewatt_expect(fine "base")
idlewatt_expect(fine "core base")
idlewatt_expect(fine "policy base core")
idlewatt_expect(fine "agent base core policy bus engine")
idlewatt_expect(fine "simulator agent gateway bus policy core")
idlewatt_expect("Layer rule: module 'base' .tier base. may not use 'core'" "base core")
idlewatt_expect("Layer rule: module 'policy' .* may not use 'bus' .tier edges." "policy base bus")
idlewatt_expect("Layer rule: module 'bus' .* may not use 'policy' .tier decisions." "bus policy")
idlewatt_expect("Layer rule: module 'bus' .* may not use 'wire'" "bus wire")
idlewatt_expect("Layer rule: module 'policy' .* may not use 'scheduler'" "policy scheduler")
idlewatt_expect("Layer rule: module 'agent' .* may not use 'gateway'" "agent gateway")
idlewatt_expect("Layer rule: module 'core' .* may not use 'cli'" "core cli")
idlewatt_expect("Layer rule: module 'cli' .* may not use 'simulator'" "cli simulator")
idlewatt_expect("Layer rule: module 'agent' .* may not use 'testing'" "agent testing")
idlewatt_expect("'nonsense' is in no tier" "nonsense base")
idlewatt_expect("uses 'nonsense', which is in no tier" "agent nonsense")
idlewatt_expect("uses itself" "agent agent")
