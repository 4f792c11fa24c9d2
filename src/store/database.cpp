// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "store/database.hpp"

#include <utility>

#include <soci/soci.h>

#include "store/schema.hpp"

namespace idlewatt::store {

namespace {

std::string to_hex(std::string_view bytes) {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string hex(2 * bytes.size(), '0');
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const auto byte = static_cast<unsigned char>(bytes[i]);
        hex[2 * i] = digits[byte >> 4];
        hex[2 * i + 1] = digits[byte & 15];
    }
    return hex;
}

constexpr const char* insert_receipt =
    "INSERT INTO receipt (id, vehicle, gateway, work, attempt, model, attempt_end, prompt_tokens,"
    " generated_tokens, acknowledged_tokens, started_at_us, duration_ns, energy_j,"
    " energy_estimated, payload_hex, signature_hex)"
    " VALUES (:id, :vehicle, :gateway, :work, :attempt, :model, :attempt_end, :prompt_tokens,"
    " :generated_tokens, :acknowledged_tokens, :started_at_us, :duration_ns, :energy_j,"
    " :energy_estimated, :payload_hex, :signature_hex)"
    " ON CONFLICT DO NOTHING";

}  // namespace

// The statement that runs a thousand times a second, prepared once. Row by row: SOCI's vectors are
// no faster, and on PostgreSQL a second use of one sends the first batch's values again.
struct Database::Insert {
    std::string id, vehicle, gateway, work, attempt, model, end, payload_hex, signature_hex;
    long long prompt_tokens = 0;
    long long generated_tokens = 0;
    long long acknowledged_tokens = 0;
    long long started_at_us = 0;
    long long duration_ns = 0;
    double energy_j = 0;
    int energy_estimated = 0;
    soci::statement statement;

    explicit Insert(soci::session& session)
        : statement((session.prepare << insert_receipt, soci::use(id), soci::use(vehicle),
                     soci::use(gateway), soci::use(work), soci::use(attempt), soci::use(model),
                     soci::use(end), soci::use(prompt_tokens), soci::use(generated_tokens),
                     soci::use(acknowledged_tokens), soci::use(started_at_us),
                     soci::use(duration_ns), soci::use(energy_j), soci::use(energy_estimated),
                     soci::use(payload_hex), soci::use(signature_hex))) {}

    // True if it was new.
    bool operator()(const StoredReceipt& stored) {
        const core::Receipt& receipt = stored.receipt;
        id = receipt.id.value;
        vehicle = receipt.vehicle.value;
        gateway = receipt.gateway.value;
        work = receipt.work.value;
        attempt = receipt.attempt.value;
        model = receipt.model;
        end = core::name(receipt.end);
        prompt_tokens = receipt.prompt_tokens;
        generated_tokens = receipt.generated_tokens;
        acknowledged_tokens = receipt.acknowledged_tokens;
        started_at_us = receipt.started_at.us;
        duration_ns = receipt.duration.ns;
        energy_j = receipt.energy_j;
        energy_estimated = receipt.energy_estimated ? 1 : 0;
        payload_hex = to_hex(stored.signed_receipt.payload);
        signature_hex = to_hex(stored.signed_receipt.signature);
        statement.execute(true);
        return statement.get_affected_rows() > 0;
    }
};

Database::Database(std::unique_ptr<soci::session> session, std::string name)
    : name_(std::move(name)), session_(std::move(session)) {}

Database::~Database() = default;

template <class Work>
auto Database::guarded(const char* what, Work work) -> base::Result<decltype(work())> {
    try {
        if constexpr (std::is_void_v<decltype(work())>) {
            work();
            return {};
        } else {
            return work();
        }
    } catch (const soci::soci_error& error) {
        // The whole text of the exception would repeat every value.
        return base::fail(base::ErrorKind::io, "store " + name_ + ": cannot " + what + ": " +
                                                   error.get_error_message() +
                                                   "; is the disk full or the file damaged?");
    } catch (const std::exception& error) {
        return base::fail(base::ErrorKind::io,
                          "store " + name_ + ": cannot " + what + ": " + error.what());
    }
}

base::Result<std::unique_ptr<Database>> Database::open(std::unique_ptr<soci::session> session,
                                                       std::string name) {
    auto* const made_here = new Database(  // tidy: allow(raw_new) the constructor is private
        std::move(session), std::move(name));
    std::unique_ptr<Database> database(made_here);
    auto made = database->guarded("read or make the tables", [&] { database->make_tables(); });
    if (!made)
        return tl::unexpected(made.error());
    if (base::Result<void> version = database->check_version(); !version) {
        return tl::unexpected(version.error());
    }
    auto prepared = database->guarded("prepare its statements", [&] {
        database->insert_ = std::make_unique<Insert>(*database->session_);
    });
    if (!prepared)
        return tl::unexpected(prepared.error());
    return database;
}

void Database::make_tables() {
    *session_ << "CREATE TABLE IF NOT EXISTS idlewatt_schema (version INTEGER NOT NULL)";
    soci::transaction transaction(*session_);
    // A write, so that of two processes with a new file one waits for the other here.
    *session_ << "UPDATE idlewatt_schema SET version = version";
    int versions = 0;
    *session_ << "SELECT COUNT(*) FROM idlewatt_schema", soci::into(versions);
    if (versions == 0) {
        for (const char* statement : schema_statements)
            *session_ << statement;
    }
    transaction.commit();
}

base::Result<void> Database::check_version() {
    auto version = guarded("read its version", [this] {
        int found = 0;
        *session_ << "SELECT version FROM idlewatt_schema", soci::into(found);
        return found;
    });
    if (!version)
        return tl::unexpected(version.error());
    if (*version == schema_version)
        return {};
    return base::fail(base::ErrorKind::bad_input,
                      "store " + name_ + ": its tables have version " + std::to_string(*version) +
                          ", this program knows version " + std::to_string(schema_version) +
                          "; use the program that made them");
}

base::Result<void> Database::put_vehicle(const Vehicle& vehicle) {
    return guarded("write a vehicle", [&] {
        const long long enrolled_at_us = vehicle.enrolled_at.us;
        *session_ << "INSERT INTO vehicle (id, public_key, enrolled_at_us)"
                     " VALUES (:id, :public_key, :enrolled_at_us)"
                     " ON CONFLICT (id) DO UPDATE SET public_key = excluded.public_key,"
                     " enrolled_at_us = excluded.enrolled_at_us",
            soci::use(vehicle.id.value, "id"), soci::use(vehicle.public_key, "public_key"),
            soci::use(enrolled_at_us, "enrolled_at_us");
    });
}

base::Result<std::vector<Vehicle>> Database::list_vehicles() {
    return guarded("list the vehicles", [this] {
        std::string id;
        std::string public_key;
        long long enrolled_at_us = 0;
        std::vector<Vehicle> all;
        soci::statement statement =
            (session_->prepare << "SELECT id, public_key, enrolled_at_us FROM vehicle ORDER BY id",
             soci::into(id), soci::into(public_key), soci::into(enrolled_at_us));
        statement.execute();
        while (statement.fetch()) {
            all.push_back({core::VehicleId(id), public_key, base::WallTime{enrolled_at_us}});
        }
        return all;
    });
}

base::Result<std::vector<std::size_t>> Database::add_receipts(
    const std::vector<const std::vector<StoredReceipt>*>& calls) {
    return guarded("write receipts", [&] {
        std::vector<std::size_t> added;
        long long receipts = 0;
        long long generated_tokens = 0;
        long long acknowledged_tokens = 0;
        soci::transaction transaction(*session_);
        for (const std::vector<StoredReceipt>* call : calls) {
            added.push_back(0);
            for (const StoredReceipt& stored : *call) {
                if (!(*insert_)(stored))
                    continue;
                ++added.back();
                ++receipts;
                generated_tokens += stored.receipt.generated_tokens;
                acknowledged_tokens += stored.receipt.acknowledged_tokens;
            }
        }
        if (receipts > 0) {
            *session_ << "UPDATE receipt_total SET receipts = receipts + :receipts,"
                         " generated_tokens = generated_tokens + :generated,"
                         " acknowledged_tokens = acknowledged_tokens + :acknowledged",
                soci::use(receipts), soci::use(generated_tokens), soci::use(acknowledged_tokens);
        }
        transaction.commit();
        return added;
    });
}

base::Result<ReceiptTotals> Database::receipt_totals() {
    return guarded("read the totals", [this] {
        long long receipts = 0;
        long long generated_tokens = 0;
        long long acknowledged_tokens = 0;
        *session_ << "SELECT receipts, generated_tokens, acknowledged_tokens FROM receipt_total",
            soci::into(receipts), soci::into(generated_tokens), soci::into(acknowledged_tokens);
        return ReceiptTotals{static_cast<std::uint64_t>(receipts),
                             static_cast<std::uint64_t>(generated_tokens),
                             static_cast<std::uint64_t>(acknowledged_tokens)};
    });
}

}  // namespace idlewatt::store
