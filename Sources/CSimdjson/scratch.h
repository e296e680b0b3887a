#pragma once
// What a thread keeps between documents.
// No exception may cross into Swift, so simdjson is asked for error codes and nothing here can throw: memory comes from
// new (std::nothrow), which simdjson uses too.
#define SIMDJSON_EXCEPTIONS 0
#include "csimdjson.h"

#include <simdjson.h>

#include <cstring>
#include <memory>
#include <new>

namespace {

constexpr size_t retained_bytes = 256 << 10;
constexpr size_t smallest_capacity = 2 << 10;

size_t rounded(size_t count) noexcept {
  size_t capacity = smallest_capacity;
  while (capacity < count) capacity *= 2;
  return capacity;
}

// Memory that grows to what the largest document so far has needed.
template <typename Item>
struct Buffer {
  std::unique_ptr<Item[]> items;
  size_t capacity = 0;

  // Room for `count` items; what was there before is lost.
  bool reserve(size_t count) noexcept {
    if (count <= capacity) return true;
    items.reset();
    capacity = 0;
    const size_t wanted = rounded(count * sizeof(Item)) / sizeof(Item);
    items.reset(new (std::nothrow) Item[wanted]);
    if (!items) return false;
    capacity = wanted;
    return true;
  }

  size_t size() const noexcept { return capacity * sizeof(Item); }
};

// The name of a member of an object that isn't closed yet.
struct Name {
  CSimdjsonText text;
  // The first eight bytes: most names differ there or in length.
  uint64_t prefix;
  uint32_t offset;

  bool operator==(const Name &other) const noexcept {
    return prefix == other.prefix && text.count == other.text.count &&
           std::memcmp(text.bytes, other.text.bytes, text.count) == 0;
  }

  bool operator<(const Name &other) const noexcept {
    if (text.count != other.text.count) return text.count < other.text.count;
    if (prefix != other.prefix) return prefix < other.prefix;
    return std::memcmp(text.bytes, other.text.bytes, text.count) < 0;
  }
};

// What a thread keeps between documents.
struct Scratch {
  std::unique_ptr<simdjson::internal::dom_parser_implementation> index;
  Buffer<uint8_t> json, text;
  Buffer<CSimdjsonMember> members;
  Buffer<Name> names;

  // simdjson.h: stage1 needs a capacity of the document's length; set_capacity allocates an index of four bytes a byte.
  bool reserve_index(size_t count) noexcept {
    if (index && count <= index->capacity()) return true;
    const size_t capacity = rounded(count);
    // The depth sizes memory for stage 2, which is never run.
    const simdjson::error_code error =
      index ? index->set_capacity(capacity)
            : simdjson::get_active_implementation()->create_dom_parser_implementation(capacity, 1, index);
    return error == simdjson::SUCCESS;
  }

  size_t size() const noexcept {
    return (index ? index->capacity() * sizeof(uint32_t) : 0) + json.size() + text.size() + members.size() +
           names.size();
  }
};

thread_local Scratch scratch;

}  // namespace
