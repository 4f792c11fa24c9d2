// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Which car gets the next answer, whether there will be one at all, and which car holds which
// model. Start with ready_set.hpp.
//
// The power of two choices: draw two ready cars at random and take the less loaded one. Compared
// with one random draw it cuts the longest queue from log n / log log n to log log n (Azar, Broder,
// Karlin, Upfal 1994; Mitzenmacher 1996); compared with "the best of all" it needs no order over
// the fleet, costs the same for ten cars and a million, and does not send every gateway's next
// request to the same car when all of them act on announcements that are a second old.
//
// A conversation goes back to the car that has its former turns in its cache, while that car is not
// much fuller than the others: affinity_ring.hpp. Cars that keep failing are left alone:
// breaker.hpp. A first token that is late gets a second attempt: hedge.hpp. What cannot be served
// in time is refused at once: admission.hpp; what a key may ask for: rate_limit.hpp. Which model
// each car holds: placement.hpp.
#pragma once

#include "scheduler/admission.hpp"
#include "scheduler/breaker.hpp"
#include "scheduler/hedge.hpp"
#include "scheduler/placement.hpp"
#include "scheduler/rate_limit.hpp"
#include "scheduler/ready_set.hpp"
#include "scheduler/stable_hash.hpp"
