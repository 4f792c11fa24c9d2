// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// "idlewatt-agent check-engine": starts the engine of this machine with a tiny model and tries what
// Idlewatt needs of it. One line per capability on stdout. Exit code 0 when it can serve, else 1.
#pragma once

namespace idlewatt {

[[nodiscard]] int check_engine();

}  // namespace idlewatt
