-- SPDX-License-Identifier: Apache-2.0
-- Copyright The Idlewatt Authors
--
-- For wrk: asks for one chat completion after the other and prints what came of it on one line. The environment says
-- what is asked.
wrk.method = "POST"
wrk.body = os.getenv("ASK_BODY")
wrk.headers["content-type"] = "application/json"
wrk.headers["authorization"] = "Bearer " .. os.getenv("ASK_KEY")
local custom_host = os.getenv("ASK_CUSTOM_HOST")
if custom_host then
    wrk.headers["x-portkey-provider"] = "openai"
    wrk.headers["x-portkey-custom-host"] = custom_host
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format("figures %d %d %d %d %d\n", summary.requests, summary.duration,
        latency:percentile(50), latency:percentile(99),
        errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
