// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/completion.hpp"

#include "wire/prompts.hpp"
#include "wire/stable_hash.hpp"

namespace idlewatt::wire {

namespace {

constexpr std::size_t prompt_affinity_bytes_max = 1024;
constexpr std::int64_t best_of_max = 20;

Objection read_completion_logprobs(const RequestJson& document, ApiRequest& request) {
    const RequestJson* logprobs = field(document, "logprobs");
    if (logprobs == nullptr)
        return std::nullopt;
    if (!is_whole(*logprobs, 0, completion_logprobs_max)) {
        return wrong("logprobs",
                     "a whole number from 0 to " + std::to_string(completion_logprobs_max),
                     logprobs);
    }
    request.top_logprobs = logprobs->get<std::uint32_t>();
    return std::nullopt;
}

Objection check_completion_unsupported(const RequestJson& document) {
    const RequestJson* suffix = field(document, "suffix");
    if (suffix != nullptr && *suffix != "")
        return unsupported("suffix", "A text behind the completion is");
    const RequestJson* best_of = field(document, "best_of");
    if (best_of == nullptr)
        return std::nullopt;
    if (!is_whole(*best_of, 0, best_of_max)) {
        return wrong("best_of", "a whole number from 0 to " + std::to_string(best_of_max), best_of);
    }
    if (best_of->get<std::int64_t>() > 1)
        return unsupported("best_of", "Choosing the best of several completions is");
    return std::nullopt;
}

// No engine tells the probabilities of a prompt's own tokens (decisions/0013), and ids are text
// only to an engine.
Objection check_echo(const RequestJson& document, const std::vector<RequestJson>& prompts,
                     const ApiRequest& request) {
    if (Objection objection = check_boolean(document, "echo"))
        return objection;
    if (!is_true(document, "echo"))
        return std::nullopt;
    if (request.top_logprobs)
        return unsupported("echo",
                           "'echo' together with 'logprobs', whose first entries would be the "
                           "prompt's own, is");
    if (!prompts.front().is_string())
        return unsupported("echo", "'echo' of token ids is");
    return std::nullopt;
}

std::uint64_t affinity_of_completion(const RequestJson& prompt, const std::string& model) {
    StableHash hash;
    hash.add("completion");
    hash.add(model);
    const std::string text = prompt.is_string() ? prompt.get<std::string>() : dump(prompt);
    hash.add(std::string_view(text).substr(0, prompt_affinity_bytes_max));
    return hash.value();
}

// One work for each prompt and choice.
Objection make_works(RequestJson& document, std::vector<RequestJson>& prompts,
                     ApiRequest& request) {
    const bool echo = is_true(document, "echo");
    for (const char* name : {"echo", "best_of", "suffix"})
        document.erase(name);
    if (!request.max_tokens) {
        request.max_tokens = completion_tokens_default;
        document["max_tokens"] = completion_tokens_default;
    }
    for (RequestJson& prompt : prompts) {
        if (echo) {
            request.echoes.insert(request.echoes.end(), request.n, prompt.get<std::string>());
        }
        document["prompt"] = std::move(prompt);
        if (Objection objection = append_works(document, request))
            return objection;
    }
    return std::nullopt;
}

}  // namespace

tl::expected<ApiRequest, ApiError> parse_completion_request(std::string_view body) {
    auto document = parse_request_tree(body);
    if (!document)
        return tl::unexpected(std::move(document).error());
    ApiRequest request;
    request.task = core::Task::completion;
    for (const auto read : {&read_addressing, &read_sampling, &read_token_limit, &read_delivery,
                            &read_completion_logprobs}) {
        if (Objection objection = read(*document, request))
            return tl::unexpected(std::move(*objection));
    }
    if (Objection objection = check_completion_unsupported(*document))
        return tl::unexpected(std::move(*objection));
    for (const char* name : {"json_schema", "grammar"})
        request.wants_schema = request.wants_schema || field(*document, name) != nullptr;
    auto prompts = take_prompts(*document, "prompt", works_max);
    if (!prompts)
        return tl::unexpected(std::move(prompts).error());
    if (Objection objection = check_echo(*document, *prompts, request))
        return tl::unexpected(std::move(*objection));
    request.affinity = affinity_of_completion(prompts->front(), request.model);
    if (Objection objection = make_works(*document, *prompts, request))
        return tl::unexpected(std::move(*objection));
    return request;
}

}  // namespace idlewatt::wire
