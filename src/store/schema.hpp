// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The tables, version 1, beside idlewatt_schema, which holds the version. A change of them is a new
// version with its own list of statements.
#pragma once

namespace idlewatt::store {

inline constexpr int schema_version = 1;

// The receipt's key begins with the id because ids are ordered by time: inserts go to the end of
// the index. The vehicle is part of it, so that no car can occupy another car's ids; one attempt
// has one receipt, whatever an agent that died in between makes of it.
inline constexpr const char* schema_statements[] = {
    "CREATE TABLE vehicle ("
    " id VARCHAR(64) NOT NULL PRIMARY KEY,"
    " public_key VARCHAR(128) NOT NULL,"
    " enrolled_at_us BIGINT NOT NULL)",

    "CREATE TABLE receipt ("
    " id VARCHAR(64) NOT NULL,"
    " vehicle VARCHAR(64) NOT NULL,"
    " gateway VARCHAR(64) NOT NULL,"
    " work VARCHAR(64) NOT NULL,"
    " attempt VARCHAR(64) NOT NULL,"
    " model VARCHAR(128) NOT NULL,"
    " attempt_end VARCHAR(32) NOT NULL,"
    " prompt_tokens BIGINT NOT NULL,"
    " generated_tokens BIGINT NOT NULL,"
    " acknowledged_tokens BIGINT NOT NULL,"
    " started_at_us BIGINT NOT NULL,"
    " duration_ns BIGINT NOT NULL,"
    " energy_j DOUBLE PRECISION NOT NULL,"
    " energy_estimated SMALLINT NOT NULL,"
    " payload_hex TEXT NOT NULL,"
    " signature_hex TEXT NOT NULL,"
    " PRIMARY KEY (id, vehicle),"
    " UNIQUE (attempt, vehicle))",

    // One row, kept by the transactions that add receipts: counting millions would take seconds.
    "CREATE TABLE receipt_total ("
    " receipts BIGINT NOT NULL,"
    " generated_tokens BIGINT NOT NULL,"
    " acknowledged_tokens BIGINT NOT NULL)",
    "INSERT INTO receipt_total VALUES (0, 0, 0)",

    "INSERT INTO idlewatt_schema VALUES (1)",
};

}  // namespace idlewatt::store
