# SPDX-License-Identifier: Apache-2.0
# Copyright The Idlewatt Authors
#
# The one table of modules and the rule between them: an arrow only goes down; modules of a tier never use each other
# (core may use base); decisions and edges never see each other, only roles and worlds see both.
set(idlewatt_tier_base base)
set(idlewatt_tier_core core)
set(idlewatt_tier_decisions policy lessons forecast scheduler ledger verification training economics mobility)
set(idlewatt_tier_edges config wire signals meter engine trainer store spool blobs bus http identity report metrics)
set(idlewatt_tier_testing testing)
set(idlewatt_tier_roles agent coordinator gateway)
set(idlewatt_tier_worlds simulator planner valet cli)

# For each tier, the tiers that it may use. `testing` is support for tests: only TEST_USES may name it.
set(idlewatt_below_base)
set(idlewatt_below_core base)
set(idlewatt_below_decisions base core)
set(idlewatt_below_edges base core)
set(idlewatt_below_testing base core edges)
set(idlewatt_below_roles base core decisions edges)
set(idlewatt_below_worlds base core decisions edges roles)

set(idlewatt_tiers base core decisions edges testing roles worlds)
set(idlewatt_modules)
foreach(tier IN LISTS idlewatt_tiers)
    list(APPEND idlewatt_modules ${idlewatt_tier_${tier}})
endforeach()

function(idlewatt_tier_of OUT MODULE)
    set(${OUT} "" PARENT_SCOPE)
    foreach(tier IN LISTS idlewatt_tiers)
        if(MODULE IN_LIST idlewatt_tier_${tier})
            set(${OUT} ${tier} PARENT_SCOPE)
        endif()
    endforeach()
endfunction()

# Stops the configuration when MODULE may not use one of the modules that follow.
function(idlewatt_check_uses MODULE)
    idlewatt_tier_of(tier ${MODULE})
    if(NOT tier)
        message(FATAL_ERROR "Module '${MODULE}' is in no tier. Add it to the table in cmake/tiers.cmake.")
    endif()
    foreach(used IN LISTS ARGN)
        idlewatt_tier_of(used_tier ${used})
        if(NOT used_tier)
            message(FATAL_ERROR "Module '${MODULE}' uses '${used}', which is in no tier. See the table in cmake/tiers.cmake.")
        elseif(used STREQUAL MODULE)
            message(FATAL_ERROR "Module '${MODULE}' uses itself.")
        elseif(NOT used_tier IN_LIST idlewatt_below_${tier})
            list(JOIN idlewatt_below_${tier} ", " below)
            message(FATAL_ERROR "Layer rule: module '${MODULE}' (tier ${tier}) may not use '${used}' (tier ${used_tier}). "
                "Tier ${tier} may use only: ${below}. Let a role join the two, or move the type into core.")
        endif()
    endforeach()
endfunction()
