// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// API keys and enrolment tokens: the secret is shown once, its hash is kept.
#include <iterator>
#include <utility>

#include "coordinator/admin_desk.hpp"
#include "identity/secret.hpp"

namespace idlewatt::coordinator {

namespace {

wire::EnrolmentRow enrolment_row(const store::Enrolment& enrolment) {
    return {enrolment.id,         enrolment.label,   enrolment.fleet,         enrolment.created_at,
            enrolment.expires_at, enrolment.used_at, enrolment.vehicle.value, enrolment.revoked_at};
}

}  // namespace

void AdminDesk::list_keys(Id id, core::KeyId after, std::vector<core::ApiKey> so_far) {
    constexpr std::size_t keys_per_question = 5000;
    auto all = std::make_shared<std::vector<core::ApiKey>>(std::move(so_far));
    parts_.store.key_page(std::move(after), keys_per_question,
                          guarded([this, id, all](const base::Result<store::KeyPage>& page) {
                              if (!page)
                                  return refuse(id, page.error());
                              all->insert(all->end(), page->keys.begin(), page->keys.end());
                              if (page->more) {
                                  const core::KeyId last = all->back().id;
                                  return list_keys(id, last, std::move(*all));
                              }
                              respond(id, 200, wire::keys_body(*all));
                          }));
}

void AdminDesk::add_key(const Call& call) {
    const Id id = call.request.id;
    const auto order = wire::parse_key_order(call.request.body);
    if (!order)
        return refuse(id, order.error());
    wire::KeyCreated created;
    created.secret = identity::random_secret();
    created.key.id = core::KeyId(fresh_id());
    created.key.secret_sha256 = identity::sha256_hex(created.secret);
    created.key.label = order->label;
    created.key.role = order->role;
    created.key.limits = order->limits;
    created.key.data_class = order->data_class;
    created.key.fleet = order->fleet;
    created.key.created_at = parts_.loop.wall_now();
    parts_.store.add_key(created.key,
                         guarded([this, id, created](const base::Result<std::uint64_t>& version) {
                             if (!version)
                                 return refuse(id, version.error());
                             parts_.keys.changed();
                             respond(id, 201, wire::key_created_body(created));
                         }));
}

void AdminDesk::revoke_key(Id id, const core::KeyId& key) {
    parts_.store.revoke_key(key, parts_.loop.wall_now(),
                            guarded([this, id](const base::Result<core::ApiKey>& revoked) {
                                if (!revoked)
                                    return refuse(id, revoked.error());
                                parts_.keys.changed();
                                respond(id, 200, wire::key_body(*revoked));
                            }));
}

void AdminDesk::list_enrolments(Id id) {
    parts_.store.list_enrolments(
        guarded([this, id](const base::Result<std::vector<store::Enrolment>>& all) {
            if (!all)
                return refuse(id, all.error());
            std::vector<wire::EnrolmentRow> rows;
            for (const store::Enrolment& enrolment : *all)
                rows.push_back(enrolment_row(enrolment));
            respond(id, 200, wire::enrolments_body(rows));
        }));
}

void AdminDesk::add_enrolment(const Call& call) {
    const Id id = call.request.id;
    const auto order = wire::parse_enrolment_order(call.request.body);
    if (!order)
        return refuse(id, order.error());
    const std::string token = identity::random_secret(identity::enrolment_token_prefix);
    const base::WallTime now = parts_.loop.wall_now();
    const store::Enrolment enrolment{fresh_id(),   identity::sha256_hex(token),
                                     order->label, order->fleet,
                                     now,          now + order->life};
    const wire::EnrolmentCreated created{enrolment_row(enrolment), token};
    parts_.store.add_enrolment(enrolment,
                               guarded([this, id, created](const base::Result<void>& added) {
                                   if (!added)
                                       return refuse(id, added.error());
                                   respond(id, 201, wire::enrolment_created_body(created));
                               }));
}

void AdminDesk::revoke_enrolment(Id id, const std::string& enrolment) {
    parts_.store.revoke_enrolment(
        enrolment, parts_.loop.wall_now(),
        guarded([this, id](const base::Result<store::Enrolment>& revoked) {
            if (!revoked)
                return refuse(id, revoked.error());
            respond(id, 200, wire::enrolment_body(enrolment_row(*revoked)));
        }));
}

}  // namespace idlewatt::coordinator
