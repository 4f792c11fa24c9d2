// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Picks effects of one kind out of all that the agent's mind wants done.
#pragma once

#include <variant>
#include <vector>

#include "agent/agent_core.hpp"

namespace idlewatt::agent {

template <class T>
std::vector<T> all(const Effects& effects) {
    std::vector<T> found;
    for (const Effect& effect : effects) {
        if (const auto* one = std::get_if<T>(&effect))
            found.push_back(*one);
    }
    return found;
}

template <class T>
std::vector<T> said(const Effects& effects) {
    std::vector<T> found;
    for (const Say& say : all<Say>(effects)) {
        if (const auto* one = std::get_if<T>(&say.message))
            found.push_back(*one);
    }
    return found;
}

}  // namespace idlewatt::agent
