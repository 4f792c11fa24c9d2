// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "base/huge_pages.hpp"

#include <sys/mman.h>

namespace idlewatt::base {

void* allocate_huge(std::size_t bytes) {
    void* const memory = ::operator new (bytes, std::align_val_t{huge_page_bytes});
    // Refused where there are none; then it is memory like any other.
    static_cast<void>(madvise(memory, bytes, MADV_HUGEPAGE));
    return memory;
}

void deallocate_huge(void* memory) {
    ::operator delete (memory, std::align_val_t{huge_page_bytes});
}

}  // namespace idlewatt::base
