// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The vocabulary that crosses modules: nouns with invariants, no behaviour, no I/O. Start with
// reason.hpp (why a car works or not) and stream.hpp (what a car and a gateway say to each other).
#pragma once

#include "core/announcement.hpp"
#include "core/api_key.hpp"
#include "core/delivery.hpp"
#include "core/id.hpp"
#include "core/local_time.hpp"
#include "core/model.hpp"
#include "core/owner_settings.hpp"
#include "core/reason.hpp"
#include "core/receipt.hpp"
#include "core/resume_point.hpp"
#include "core/signal.hpp"
#include "core/stream.hpp"
#include "core/verdict.hpp"
