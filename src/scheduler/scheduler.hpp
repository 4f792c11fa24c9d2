// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Which car gets the next answer. Start with ready_set.hpp.
//
// The power of two choices: draw two ready cars at random and take the less loaded one. Compared
// with one random draw it cuts the longest queue from log n / log log n to log log n (Azar, Broder,
// Karlin, Upfal 1994; Mitzenmacher 1996); compared with "the best of all" it needs no order over
// the fleet, costs the same for ten cars and a million, and does not send every gateway's next
// request to the same car when all of them act on announcements that are a second old.
#pragma once

#include "scheduler/ready_set.hpp"
