// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The tables, beside idlewatt_schema, which holds the version. Each version is a list of statements
// on top of the one before; a new database goes through all of them, so that an old one that is
// opened by a newer program becomes the same. A version that was released is never edited. "Never"
// and "none" are 0 and '': no column is NULL.
#pragma once

#include <span>

namespace idlewatt::store {

// The receipt's key begins with the id because ids are ordered by time: inserts go to the end of
// the index. The vehicle is part of it, so that no car can occupy another car's ids; one attempt
// has one receipt, whatever an agent that died in between makes of it.
inline constexpr const char* schema_version_1[] = {
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
};

inline constexpr const char* schema_version_2[] = {
    "ALTER TABLE vehicle ADD COLUMN label VARCHAR(256) NOT NULL DEFAULT ''",
    "ALTER TABLE vehicle ADD COLUMN fleet VARCHAR(64) NOT NULL DEFAULT ''",
    "ALTER TABLE vehicle ADD COLUMN paused SMALLINT NOT NULL DEFAULT 0",
    "ALTER TABLE vehicle ADD COLUMN draining SMALLINT NOT NULL DEFAULT 0",
    "ALTER TABLE vehicle ADD COLUMN revoked_at_us BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE vehicle ADD COLUMN jwt_expires_at_us BIGINT NOT NULL DEFAULT 0",
    "CREATE INDEX vehicle_public_key ON vehicle (public_key)",

    "CREATE TABLE enrolment ("
    " id VARCHAR(64) NOT NULL PRIMARY KEY,"
    " token_sha256 VARCHAR(64) NOT NULL UNIQUE,"
    " label VARCHAR(256) NOT NULL,"
    " fleet VARCHAR(64) NOT NULL,"
    " created_at_us BIGINT NOT NULL,"
    " expires_at_us BIGINT NOT NULL,"
    " used_at_us BIGINT NOT NULL,"
    " vehicle VARCHAR(64) NOT NULL,"
    " revoked_at_us BIGINT NOT NULL)",

    "CREATE TABLE api_key ("
    " id VARCHAR(64) NOT NULL PRIMARY KEY,"
    " secret_sha256 VARCHAR(64) NOT NULL UNIQUE,"
    " label VARCHAR(256) NOT NULL,"
    " role VARCHAR(32) NOT NULL,"
    " requests_per_minute BIGINT NOT NULL,"
    " tokens_per_minute BIGINT NOT NULL,"
    " requests_at_once BIGINT NOT NULL,"
    " data_class VARCHAR(32) NOT NULL,"
    " fleet VARCHAR(64) NOT NULL,"
    " created_at_us BIGINT NOT NULL,"
    " revoked_at_us BIGINT NOT NULL)",
    // One row: the version of the key book and how many keys there are.
    "CREATE TABLE key_book (version BIGINT NOT NULL, keys BIGINT NOT NULL)",
    "INSERT INTO key_book VALUES (0, 0)",

    "CREATE TABLE model ("
    " name VARCHAR(128) NOT NULL PRIMARY KEY,"
    " sha256 VARCHAR(64) NOT NULL,"
    " bytes BIGINT NOT NULL,"
    " architecture VARCHAR(128) NOT NULL,"
    " quantization VARCHAR(128) NOT NULL,"
    " parameters BIGINT NOT NULL,"
    " context_tokens BIGINT NOT NULL,"
    " replicas_min BIGINT NOT NULL,"
    " added_at_us BIGINT NOT NULL)",
    "CREATE TABLE assignment ("
    " vehicle VARCHAR(64) NOT NULL PRIMARY KEY,"
    " version BIGINT NOT NULL,"
    " model VARCHAR(128) NOT NULL)",

    "CREATE TABLE delivery ("
    " id VARCHAR(64) NOT NULL,"
    " gateway VARCHAR(64) NOT NULL,"
    " vehicle VARCHAR(64) NOT NULL,"
    " work VARCHAR(64) NOT NULL,"
    " attempt VARCHAR(64) NOT NULL,"
    " api_key VARCHAR(64) NOT NULL,"
    " model VARCHAR(128) NOT NULL,"
    " prompt_tokens BIGINT NOT NULL,"
    " delivered_tokens BIGINT NOT NULL,"
    " is_last SMALLINT NOT NULL,"
    " started_at_us BIGINT NOT NULL,"
    " duration_ns BIGINT NOT NULL,"
    " payload_hex TEXT NOT NULL,"
    " signature_hex TEXT NOT NULL,"
    " PRIMARY KEY (id, gateway),"
    " UNIQUE (attempt, gateway))",
    "CREATE TABLE delivery_total (deliveries BIGINT NOT NULL, delivered_tokens BIGINT NOT NULL)",
    "INSERT INTO delivery_total VALUES (0, 0)",
};

inline constexpr const char* schema_version_3[] = {
    "CREATE TABLE api_file ("
    " id VARCHAR(64) NOT NULL PRIMARY KEY,"
    " api_key VARCHAR(64) NOT NULL,"
    " filename VARCHAR(1024) NOT NULL,"
    " purpose VARCHAR(32) NOT NULL,"
    " bytes BIGINT NOT NULL,"
    " sha256 VARCHAR(64) NOT NULL,"
    " created_at_us BIGINT NOT NULL,"
    " expires_at_us BIGINT NOT NULL)",

    "CREATE TABLE batch ("
    " id VARCHAR(64) NOT NULL PRIMARY KEY,"
    " api_key VARCHAR(64) NOT NULL,"
    " endpoint VARCHAR(64) NOT NULL,"
    " input_file VARCHAR(64) NOT NULL,"
    " status VARCHAR(32) NOT NULL,"
    " has_ended SMALLINT NOT NULL,"
    " model VARCHAR(128) NOT NULL,"
    " metadata_json TEXT NOT NULL,"
    " errors_json TEXT NOT NULL,"
    " output_file VARCHAR(64) NOT NULL,"
    " error_file VARCHAR(64) NOT NULL,"
    " output_expires_after_ns BIGINT NOT NULL,"
    " created_at_us BIGINT NOT NULL,"
    " expires_at_us BIGINT NOT NULL,"
    " in_progress_at_us BIGINT NOT NULL,"
    " finalizing_at_us BIGINT NOT NULL,"
    " cancelling_at_us BIGINT NOT NULL,"
    " ended_at_us BIGINT NOT NULL,"
    " total BIGINT NOT NULL,"
    " completed BIGINT NOT NULL,"
    " failed BIGINT NOT NULL,"
    " input_tokens BIGINT NOT NULL,"
    " cached_tokens BIGINT NOT NULL,"
    " output_tokens BIGINT NOT NULL,"
    " reasoning_tokens BIGINT NOT NULL)",
    "CREATE INDEX batch_api_key ON batch (api_key, id)",
    "CREATE INDEX batch_has_ended ON batch (has_ended)",

    // Only while the batch runs. An outcome is 0 for none yet, 1 for success, 2 for failure.
    "CREATE TABLE batch_line ("
    " batch VARCHAR(64) NOT NULL,"
    " line BIGINT NOT NULL,"
    " input_offset BIGINT NOT NULL,"
    " input_bytes BIGINT NOT NULL,"
    " custom_id VARCHAR(256) NOT NULL,"
    " outcome SMALLINT NOT NULL,"
    " status_code BIGINT NOT NULL,"
    " error_code VARCHAR(64) NOT NULL,"
    " request_id VARCHAR(128) NOT NULL,"
    " body TEXT NOT NULL,"
    " body_bytes BIGINT NOT NULL,"
    " input_tokens BIGINT NOT NULL,"
    " cached_tokens BIGINT NOT NULL,"
    " output_tokens BIGINT NOT NULL,"
    " reasoning_tokens BIGINT NOT NULL,"
    " PRIMARY KEY (batch, line))",
};

inline constexpr std::span<const char* const> schema_versions[] = {
    schema_version_1, schema_version_2, schema_version_3};
inline constexpr int schema_version = static_cast<int>(std::size(schema_versions));

}  // namespace idlewatt::store
