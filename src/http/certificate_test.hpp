// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Certificates for tests, made on the spot and signed by themselves: no file in the repository that
// ends one day.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace idlewatt::http {

// A folder of its own with one certificate and its key; goes with its owner.
class TestCertificate {
public:
    // names: as in a subjectAltName, "IP:127.0.0.1,DNS:localhost".
    explicit TestCertificate(const std::string& names = "IP:127.0.0.1,DNS:localhost") {
        std::string pattern = std::filesystem::temp_directory_path() / "idlewatt-tls-XXXXXX";
        folder_ = mkdtemp(pattern.data());
        const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"),
                                                                      EVP_PKEY_free);
        const std::unique_ptr<X509, decltype(&X509_free)> made(X509_new(), X509_free);
        X509* x509 = made.get();
        X509_set_version(x509, 2);
        ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
        X509_gmtime_adj(X509_getm_notBefore(x509), -60);
        X509_gmtime_adj(X509_getm_notAfter(x509), 24 * 60 * 60);
        X509_set_pubkey(x509, key.get());
        X509_NAME* name = X509_get_subject_name(x509);
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                   reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
        X509_set_issuer_name(x509, name);
        extend(x509, NID_subject_alt_name, names);
        extend(x509, NID_basic_constraints, "critical,CA:TRUE");
        EXPECT_GT(X509_sign(x509, key.get(), EVP_sha256()), 0);
        write(certificate_file(), [&](FILE* file) { return PEM_write_X509(file, x509); });
        write(key_file(), [&](FILE* file) {
            return PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
        });
    }
    ~TestCertificate() { std::filesystem::remove_all(folder_); }
    TestCertificate(const TestCertificate&) = delete;
    TestCertificate& operator=(const TestCertificate&) = delete;

    [[nodiscard]] std::string certificate_file() const { return folder_ + "/certificate.pem"; }
    [[nodiscard]] std::string key_file() const { return folder_ + "/key.pem"; }
    [[nodiscard]] const std::string& folder() const { return folder_; }

private:
    static void extend(X509* x509, int what, const std::string& value) {
        X509V3_CTX context{};
        X509V3_set_ctx(&context, x509, x509, nullptr, nullptr, 0);
        X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str());
        ASSERT_NE(extension, nullptr);
        X509_add_ext(x509, extension, -1);
        X509_EXTENSION_free(extension);
    }

    template <class Write>
    static void write(const std::string& path, Write into) {
        FILE* file = std::fopen(path.c_str(), "w");
        ASSERT_NE(file, nullptr);
        EXPECT_EQ(into(file), 1);
        std::fclose(file);
    }

    std::string folder_;
};

}  // namespace idlewatt::http
