// No exception may cross into Swift, so simdjson is asked for error codes and nothing here can throw: memory comes from
// new (std::nothrow), which simdjson uses too.
#define SIMDJSON_EXCEPTIONS 0
#include "csimdjson.h"

#include <simdjson.h>

#include <algorithm>
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

bool is_whitespace(uint8_t byte) noexcept { return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t'; }

bool is_digit(uint8_t byte) noexcept { return byte >= '0' && byte <= '9'; }

bool is_text(const CSimdjsonText &text, const char *literal) noexcept {
  return text.count == std::strlen(literal) && std::memcmp(text.bytes, literal, text.count) == 0;
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
    for (uint32_t i = 0; i < index_count; i++) {
      at = indexes[i];
      end = i + 1 < index_count ? indexes[i + 1] : length;
      const uint8_t byte = json[at];
      switch (expected) {
        case Expected::object:
          if (byte != '{') return fail(CSimdjsonProblemNotAnObject);
          if (!open(true)) return false;
          break;
        case Expected::first_name:
          if (byte == '}') {
            if (!close(true)) return false;
            break;
          }
          [[fallthrough]];
        case Expected::name:
          if (byte != '"') return fail(CSimdjsonProblemUnexpected);
          if (!name()) return false;
          expected = Expected::colon;
          break;
        case Expected::colon:
          if (byte != ':') return fail(CSimdjsonProblemUnexpected);
          expected = Expected::value;
          break;
        case Expected::first_element:
          if (byte == ']') {
            if (!close(false)) return false;
            break;
          }
          [[fallthrough]];
        case Expected::value:
          if (!value(byte)) return false;
          break;
        case Expected::separator:
          if (byte == ',') {
            expected = frames[depth - 1].is_object ? Expected::name : Expected::value;
          } else if (byte == '}' || byte == ']') {
            if (!close(byte == '}')) return false;
          } else {
            return fail(CSimdjsonProblemUnexpected);
          }
          break;
        case Expected::end:
          return fail(CSimdjsonProblemTrailing);
      }
    }
    if (expected != Expected::end) {
      at = length;
      return fail(CSimdjsonProblemTruncated);
    }
    document.members = members;
    document.count = member_count;
    return true;
  }

 private:
  enum class Expected : uint8_t { object, first_name, name, colon, first_element, value, separator, end };

  struct Frame {
    uint32_t first_name;
    bool is_object;
  };

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
    expected = is_object ? Expected::first_name : Expected::first_element;
    return true;
  }

  bool close(bool is_object) noexcept {
    const Frame frame = frames[depth - 1];
    if (frame.is_object != is_object) return fail(CSimdjsonProblemUnexpected);
    if (is_object) {
      if (!check_names(names + frame.first_name, names + name_count)) return false;
      name_count = frame.first_name;
    }
    depth--;
    if (depth == 0) {
      expected = Expected::end;
      return true;
    }
    if (depth == 1) container = CSimdjsonContainerTop;
    if (is_listed()) {
      CSimdjsonText &raw = members[current[depth - 1]].raw;
      raw.count = size_t(json + at + 1 - raw.bytes);
    }
    expected = Expected::separator;
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
    expected = Expected::separator;
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
    // RFC 8259, 6: number = [ minus ] int [ frac ] [ exp ]. The byte behind the document is a space.
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
    const auto *escape = static_cast<const uint8_t *>(std::memchr(from, '\\', size_t(last - from)));
    if (!escape) return {from, size_t(last - from)};
    const uint8_t *const first = text;
    while (escape) {
      std::memcpy(text, from, size_t(escape - from));
      text += escape - from;
      from = escape + 1;
      if (!unescape(from, last)) return {nullptr, 0};
      escape = static_cast<const uint8_t *>(std::memchr(from, '\\', size_t(last - from)));
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
  Expected expected = Expected::object;
  CSimdjsonContainer container = CSimdjsonContainerTop;
  uint32_t depth = 0;
  uint32_t name_count = 0;
  uint32_t member_count = 0;
  // The member that is being read in the document's object, and in its object `container`.
  uint32_t current[2] = {0, 0};
  Frame frames[csimdjson_maximum_depth];
};

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
