#include "csimdjson.h"
#include "scratch.h"
#include "walk.h"

#include <cstring>

namespace {

// The place of the first control character in a string, or of the string that doesn't end.
size_t string_fault(const uint8_t *json, size_t count, bool is_control) noexcept {
  size_t opening = count;
  bool is_inside = false;
  for (size_t i = 0; i < count; i++) {
    if (json[i] == '\\') {
      i++;
    } else if (json[i] == '"') {
      is_inside = !is_inside;
      opening = i;
    } else if (is_inside && is_control && json[i] < 0x20) {
      return i;
    }
  }
  return opening;
}

CSimdjsonProblem prepare(const uint8_t *json, size_t count, size_t &offset) noexcept {
  if (count == 0) return CSimdjsonProblemEmpty;
  if (count > csimdjson_maximum_bytes) return CSimdjsonProblemTooLarge;
  if (count >= 3 && std::memcmp(json, "\xef\xbb\xbf", 3) == 0) return CSimdjsonProblemByteOrderMark;
  // simdjson.h: "The input buf should be readable up to buf + SIMDJSON_PADDING".
  if (!scratch.json.reserve(count + simdjson::SIMDJSON_PADDING) ||
      !scratch.text.reserve(count + simdjson::SIMDJSON_PADDING) || !scratch.reserve_index(count)) {
    return CSimdjsonProblemUnavailable;
  }
  uint8_t *const copy = scratch.json.items.get();
  std::memcpy(copy, json, count);
  std::memset(copy + count, ' ', simdjson::SIMDJSON_PADDING);
  // Validates UTF-8 and that strings end and hold no control character; fills structural_indexes.
  switch (scratch.index->stage1(copy, count, simdjson::stage1_mode::regular)) {
    case simdjson::SUCCESS:
      break;
    case simdjson::EMPTY:
      return CSimdjsonProblemEmpty;
    case simdjson::UTF8_ERROR:
      return CSimdjsonProblemInvalidUTF8;
    case simdjson::UNESCAPED_CHARS:
      offset = string_fault(json, count, true);
      return CSimdjsonProblemControlCharacter;
    case simdjson::UNCLOSED_STRING:
      offset = string_fault(json, count, false);
      return CSimdjsonProblemUnterminatedString;
    case simdjson::MEMALLOC:
      return CSimdjsonProblemUnavailable;
    default:
      return CSimdjsonProblemUnexpected;
  }
  // A name, its colon and its value are three structural bytes.
  const size_t most_members = scratch.index->n_structural_indexes / 3 + 1;
  if (!scratch.members.reserve(most_members) || !scratch.names.reserve(most_members)) {
    return CSimdjsonProblemUnavailable;
  }
  return CSimdjsonProblemNone;
}

}  // namespace

void csimdjson_read(
  const uint8_t *json, size_t count, uint32_t maximum_depth, bool expand, CSimdjsonDocument *document) noexcept {
  *document = {};
  document->problem = prepare(json, count, document->offset);
  if (document->problem == CSimdjsonProblemNone) Walk(count, maximum_depth, expand, *document).run();
}

void csimdjson_release(void) noexcept {
  if (scratch.size() > retained_bytes) scratch = Scratch();
}
