// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// An allocator for large arrays that are read here and there: it asks the kernel for huge pages, so
// that finding the page costs nothing beside the read. Small arrays come from the heap as ever, and
// where the kernel has no huge pages so do large ones. Threads: any.
//
//   std::vector<Point, base::HugePages<Point>> points;
#pragma once

#include <cstddef>
#include <limits>
#include <new>

namespace idlewatt::base {

inline constexpr std::size_t huge_page_bytes = std::size_t{2} << 20;
// Below this the part of the last page that is not used would count.
inline constexpr std::size_t huge_from_bytes = 2 * huge_page_bytes;

// Throws std::bad_alloc, as operator new.
[[nodiscard]] void* allocate_huge(std::size_t bytes);
void deallocate_huge(void* memory);

template <class T>
struct HugePages {
    using value_type = T;

    HugePages() = default;
    template <class U>
    HugePages(const HugePages<U>&) {}  // NOLINT(google-explicit-constructor): as allocators are

    [[nodiscard]] T* allocate(std::size_t count) {
        static_assert(alignof(T) <= huge_page_bytes);
        if (count > std::numeric_limits<std::size_t>::max() / sizeof(T))
            throw std::bad_alloc();
        const std::size_t bytes = count * sizeof(T);
        if (bytes >= huge_from_bytes)
            return static_cast<T*>(allocate_huge(bytes));
        return static_cast<T*>(::operator new (bytes, std::align_val_t{alignof(T)}));
    }
    void deallocate(T* memory, std::size_t count) {
        if (count * sizeof(T) >= huge_from_bytes) {
            deallocate_huge(memory);
        } else {
            ::operator delete (memory, std::align_val_t{alignof(T)});
        }
    }
    friend bool operator==(const HugePages&, const HugePages&) { return true; }
};

}  // namespace idlewatt::base
