#pragma once
// Whether an LMDB file is as long as the pages it names. LMDB maps the file and looks at no length:
// reading a page behind the end of a file that was cut kills the process. The highest page that was
// ever given out says too much, since pages that a commit frees again at the end are never written;
// so a file that is shorter is read from its roots, with pread(). Thread-safe function.

#include <lmdb.h>

#include <cstdint>

namespace leasehold::storage {

// `file` is that of `env`, `size` its bytes. True also where a page cannot be understood: LMDB says
// so itself.
bool holds_its_pages(MDB_env* env, int file, std::uint64_t size);

}  // namespace leasehold::storage
