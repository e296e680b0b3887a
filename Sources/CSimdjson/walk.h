#pragma once
// The grammar: one pass over the structural index of a document.
#include "csimdjson.h"
#include "scratch.h"

#include <algorithm>
#include <cstring>

namespace {

// Words are loaded as if their first byte were the lowest.
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

bool is_whitespace(uint8_t byte) noexcept { return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t'; }

bool is_digit(uint8_t byte) noexcept { return byte >= '0' && byte <= '9'; }

bool is_text(const CSimdjsonText &text, const char *literal) noexcept {
  return text.count == std::strlen(literal) && std::memcmp(text.bytes, literal, text.count) == 0;
}

// Null when there is none. Most strings are too short for a call of memchr to pay; bytes behind `last` are readable.
const uint8_t *find_backslash(const uint8_t *first, const uint8_t *last) noexcept {
  if (last - first > 64) return static_cast<const uint8_t *>(std::memchr(first, '\\', size_t(last - first)));
  constexpr uint64_t ones = 0x0101010101010101;
  for (; first < last; first += 8) {
    uint64_t word;
    std::memcpy(&word, first, sizeof word);
    word ^= ones * '\\';
    // The top bit of each byte that has become zero; the lowest one is exact.
    const uint64_t found = (word - ones) & ~word & ones * 0x80;
    if (found) {
      first += __builtin_ctzll(found) / 8;
      return first < last ? first : nullptr;
    }
  }
  return nullptr;
}

// One pass over the structural index of a document. simdjson's index lists the place of every bracket, brace, colon and
// comma outside strings and the first byte of every string and of every other run of bytes that isn't whitespace.
class Walk {
 public:
  Walk(size_t length, uint32_t maximum_depth, bool expand, CSimdjsonDocument &document) noexcept
      : json(scratch.json.items.get()), length(length), indexes(scratch.index->structural_indexes.get()),
        index_count(scratch.index->n_structural_indexes), text(scratch.text.items.get()),
        members(scratch.members.items.get()), names(scratch.names.items.get()),
        maximum_depth(std::min(maximum_depth, csimdjson_maximum_depth)), expand(expand), document(document) {}

  // False when the document is refused; the problem then stands in it.
  bool run() noexcept {
    if (!advance()) return false;
    if (json[at] != '{') return fail(CSimdjsonProblemNotAnObject);
    if (!open(true)) return false;
    while (depth > 0) {
      if (!advance()) return false;
      if (json[at] == '}' || json[at] == ']') {
        if (!close(json[at] == '}')) return false;
        continue;
      }
      if (!is_opened) {
        if (json[at] != ',') return fail(CSimdjsonProblemUnexpected);
        if (!advance()) return false;
      }
      if (frames[depth - 1].is_object) {
        if (json[at] != '"') return fail(CSimdjsonProblemUnexpected);
        if (!name() || !advance()) return false;
        if (json[at] != ':') return fail(CSimdjsonProblemUnexpected);
        if (!advance()) return false;
      }
      if (!value(json[at])) return false;
    }
    if (next < index_count) return fail(CSimdjsonProblemTrailing, indexes[next]);
    document.members = members;
    document.count = member_count;
    return true;
  }

 private:
  struct Frame {
    uint32_t first_name;
    bool is_object;
  };

  // Goes on to the next token.
  bool advance() noexcept {
    if (next == index_count) return fail(CSimdjsonProblemTruncated, length);
    at = indexes[next++];
    end = next < index_count ? indexes[next] : length;
    return true;
  }

  bool fail(CSimdjsonProblem problem) noexcept { return fail(problem, at); }

  bool fail(CSimdjsonProblem problem, size_t offset) noexcept {
    document.problem = problem;
    document.offset = offset;
    return false;
  }

  // Whether members of the current object are listed.
  bool is_listed() const noexcept { return depth == 1 || (depth == 2 && container != CSimdjsonContainerTop); }

  void name_path() noexcept {
    if (depth >= 1 && member_count > 0) document.outer = members[current[0]].name;
    if (depth >= 2 && container != CSimdjsonContainerTop && current[1] > current[0]) {
      document.inner = members[current[1]].name;
    }
  }

  bool open(bool is_object) noexcept {
    if (depth == maximum_depth) {
      name_path();
      return fail(CSimdjsonProblemTooDeep);
    }
    frames[depth++] = {name_count, is_object};
    is_opened = true;
    return true;
  }

  bool close(bool is_object) noexcept {
    const Frame frame = frames[depth - 1];
    if (frame.is_object != is_object) return fail(CSimdjsonProblemUnexpected);
    if (is_object) {
      if (!check_names(names + frame.first_name, names + name_count)) return false;
      name_count = frame.first_name;
    }
    is_opened = false;
    depth--;
    if (depth == 1) container = CSimdjsonContainerTop;
    if (is_listed()) {
      CSimdjsonText &raw = members[current[depth - 1]].raw;
      raw.count = size_t(json + at + 1 - raw.bytes);
    }
    return true;
  }

  // Refuses two equal names. Never worse than n log n comparisons, whatever names a client chooses.
  bool check_names(Name *first, Name *last) noexcept {
    if (last - first <= 16) {
      for (Name *right = first; right < last; right++) {
        for (Name *left = first; left < right; left++) {
          if (*left == *right) return fail_duplicate(*right);
        }
      }
      return true;
    }
    std::sort(first, last);
    for (Name *right = first + 1; right < last; right++) {
      if (right[-1] == *right) return fail_duplicate(right[-1].offset > right->offset ? right[-1] : *right);
    }
    return true;
  }

  bool fail_duplicate(const Name &name) noexcept {
    if (depth == 2 && container != CSimdjsonContainerTop) {
      document.outer = members[current[0]].name;
    } else if (depth >= 2) {
      name_path();
    }
    document.name = name.text;
    return fail(CSimdjsonProblemDuplicateName, name.offset);
  }

  bool name() noexcept {
    const CSimdjsonText unescaped = string();
    if (!unescaped.bytes) return false;
    uint64_t prefix;
    // Both buffers that a name may stand in are readable beyond its end.
    std::memcpy(&prefix, unescaped.bytes, sizeof prefix);
    if (unescaped.count < sizeof prefix) prefix &= (uint64_t(1) << (8 * unescaped.count)) - 1;
    names[name_count++] = {unescaped, prefix, uint32_t(at)};
    if (is_listed()) {
      current[depth - 1] = member_count;
      members[member_count++] = {container, CSimdjsonKindNull, unescaped, {nullptr, 0}, {nullptr, 0}, 0};
    }
    return true;
  }

  bool value(uint8_t byte) noexcept {
    CSimdjsonMember *const member = is_listed() ? &members[current[depth - 1]] : nullptr;
    if (member) member->raw.bytes = json + at;
    if (byte == '{' || byte == '[') {
      const bool is_object = byte == '{';
      if (member) member->kind = is_object ? CSimdjsonKindObject : CSimdjsonKindArray;
      if (!open(is_object)) return false;
      if (expand && is_object && depth == 2 && member) {
        if (is_text(member->name, "metadata")) container = CSimdjsonContainerMetadata;
        if (is_text(member->name, "context")) container = CSimdjsonContainerContext;
      }
      return true;
    }
    is_opened = false;
    if (byte == '"') {
      const CSimdjsonText unescaped = string();
      if (!unescaped.bytes) return false;
      if (member) {
        member->kind = CSimdjsonKindString;
        member->text = unescaped;
      } else if (unescaped.bytes != json + at + 1) {
        // Nobody keeps it: its room is free again.
        text -= unescaped.count;
      }
    } else {
      trim();
      CSimdjsonKind kind;
      if (!scalar(kind)) return false;
      if (member) {
        member->kind = kind;
        if (kind == CSimdjsonKindInteger) {
          if (!integer(member->integer)) member->kind = CSimdjsonKindNumber;
        }
      }
    }
    if (member) member->raw.count = end - at;
    return true;
  }

  // Sets `end` behind the current token, which only whitespace divides from the next one.
  void trim() noexcept {
    while (end > at + 1 && is_whitespace(json[end - 1])) end--;
  }

  bool scalar(CSimdjsonKind &kind) noexcept {
    const uint8_t *byte = json + at;
    const uint8_t *const last = json + end;
    const size_t count = end - at;
    switch (*byte) {
      case 'n':
        kind = CSimdjsonKindNull;
        return (count == 4 && std::memcmp(byte, "null", 4) == 0) || fail(CSimdjsonProblemScalar);
      case 't':
        kind = CSimdjsonKindBoolean;
        return (count == 4 && std::memcmp(byte, "true", 4) == 0) || fail(CSimdjsonProblemScalar);
      case 'f':
        kind = CSimdjsonKindBoolean;
        return (count == 5 && std::memcmp(byte, "false", 5) == 0) || fail(CSimdjsonProblemScalar);
      case '}':
      case ']':
      case ':':
      case ',':
        return fail(CSimdjsonProblemUnexpected);
    }
    // RFC 8259, 6: number = [ minus ] int [ frac ] [ exp ]
    const auto digits = [&byte, last]() noexcept {
      const uint8_t *const first = byte;
      while (byte < last && is_digit(*byte)) byte++;
      return byte > first;
    };
    kind = CSimdjsonKindInteger;
    if (*byte == '-') byte++;
    if (byte < last && *byte == '0') {
      byte++;
    } else if (!digits()) {
      return fail(CSimdjsonProblemScalar);
    }
    if (byte < last && *byte == '.') {
      kind = CSimdjsonKindNumber;
      byte++;
      if (!digits()) return fail(CSimdjsonProblemScalar);
    }
    if (byte < last && (*byte == 'e' || *byte == 'E')) {
      kind = CSimdjsonKindNumber;
      byte++;
      if (byte < last && (*byte == '+' || *byte == '-')) byte++;
      if (!digits()) return fail(CSimdjsonProblemScalar);
    }
    return byte == last || fail(CSimdjsonProblemScalar);
  }

  // The value of the current token, an integer by its grammar; false when it needs more than 64 bits.
  bool integer(int64_t &number) const noexcept {
    size_t place = at;
    const bool is_negative = json[place] == '-';
    if (is_negative) place++;
    number = 0;
    for (; place < end; place++) {
      const int64_t digit = json[place] - '0';
      if (__builtin_mul_overflow(number, 10, &number)) return false;
      if (__builtin_add_overflow(number, is_negative ? -digit : digit, &number)) return false;
    }
    return true;
  }

  // The text of the current token, a string; without bytes when it is refused. Sets `end` behind the token.
  //
  // The text is returned in registers: written to memory by halves and read as a whole it would cost more than the rest
  // of the work on a short string.
  CSimdjsonText string() noexcept {
    trim();
    if (end < at + 2 || json[end - 1] != '"') {
      fail(CSimdjsonProblemUnexpected);
      return {nullptr, 0};
    }
    const uint8_t *from = json + at + 1;
    const uint8_t *const last = json + end - 1;
    const uint8_t *escape = find_backslash(from, last);
    if (!escape) return {from, size_t(last - from)};
    const uint8_t *const first = text;
    while (escape) {
      std::memcpy(text, from, size_t(escape - from));
      text += escape - from;
      from = escape + 1;
      if (!unescape(from, last)) return {nullptr, 0};
      escape = find_backslash(from, last);
    }
    std::memcpy(text, from, size_t(last - from));
    text += last - from;
    return {first, size_t(text - first)};
  }

  // Writes what the escape behind a backslash stands for and moves `from` behind it.
  bool unescape(const uint8_t *&from, const uint8_t *last) noexcept {
    const size_t offset = size_t(from - 1 - json);
    if (from == last) return fail(CSimdjsonProblemEscape, offset);
    switch (*from++) {
      case '"': *text++ = '"'; return true;
      case '\\': *text++ = '\\'; return true;
      case '/': *text++ = '/'; return true;
      case 'b': *text++ = '\b'; return true;
      case 'f': *text++ = '\f'; return true;
      case 'n': *text++ = '\n'; return true;
      case 'r': *text++ = '\r'; return true;
      case 't': *text++ = '\t'; return true;
      case 'u': break;
      default: return fail(CSimdjsonProblemEscape, offset);
    }
    uint32_t scalar;
    if (!hexadecimal(from, last, scalar)) return fail(CSimdjsonProblemEscape, offset);
    if (scalar >= 0xd800 && scalar < 0xe000) {
      uint32_t low;
      if (scalar >= 0xdc00 || last - from < 6 || from[0] != '\\' || from[1] != 'u') {
        return fail(CSimdjsonProblemLoneSurrogate, offset);
      }
      from += 2;
      if (!hexadecimal(from, last, low)) return fail(CSimdjsonProblemEscape, offset + 6);
      if (low < 0xdc00 || low >= 0xe000) return fail(CSimdjsonProblemLoneSurrogate, offset);
      scalar = 0x10000 + ((scalar - 0xd800) << 10) + (low - 0xdc00);
    }
    if (scalar < 0x80) {
      *text++ = uint8_t(scalar);
    } else if (scalar < 0x800) {
      *text++ = uint8_t(0xc0 | scalar >> 6);
      *text++ = uint8_t(0x80 | (scalar & 0x3f));
    } else if (scalar < 0x10000) {
      *text++ = uint8_t(0xe0 | scalar >> 12);
      *text++ = uint8_t(0x80 | (scalar >> 6 & 0x3f));
      *text++ = uint8_t(0x80 | (scalar & 0x3f));
    } else {
      *text++ = uint8_t(0xf0 | scalar >> 18);
      *text++ = uint8_t(0x80 | (scalar >> 12 & 0x3f));
      *text++ = uint8_t(0x80 | (scalar >> 6 & 0x3f));
      *text++ = uint8_t(0x80 | (scalar & 0x3f));
    }
    return true;
  }

  static bool hexadecimal(const uint8_t *&from, const uint8_t *last, uint32_t &number) noexcept {
    if (last - from < 4) return false;
    number = 0;
    for (int i = 0; i < 4; i++) {
      const uint8_t byte = *from++;
      const uint8_t letter = byte | 0x20;
      if (is_digit(byte)) {
        number = number << 4 | uint32_t(byte - '0');
      } else if (letter >= 'a' && letter <= 'f') {
        number = number << 4 | uint32_t(letter - 'a' + 10);
      } else {
        return false;
      }
    }
    return true;
  }

  const uint8_t *const json;
  const size_t length;
  const uint32_t *const indexes;
  const uint32_t index_count;
  // Where the next unescaped text goes. All of them together are shorter than the document.
  uint8_t *text;
  CSimdjsonMember *const members;
  Name *const names;
  const uint32_t maximum_depth;
  const bool expand;
  CSimdjsonDocument &document;

  // The token that is being read: [at, end), where end may still include whitespace behind it.
  size_t at = 0;
  size_t end = 0;
  uint32_t next = 0;
  // Whether the current object or array has been opened just now: no comma comes before its first member.
  bool is_opened = false;
  CSimdjsonContainer container = CSimdjsonContainerTop;
  uint32_t depth = 0;
  uint32_t name_count = 0;
  uint32_t member_count = 0;
  // The member that is being read in the document's object, and in its object `container`.
  uint32_t current[2] = {0, 0};
  Frame frames[csimdjson_maximum_depth];
};

}  // namespace
