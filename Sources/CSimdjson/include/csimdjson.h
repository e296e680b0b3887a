#pragma once
// Reads one JSON object into a flat list of its members, over simdjson's structural index.
//
// A document is checked as a whole against the grammar of RFC 8259 plus these rules: valid UTF-8 without a byte order
// mark, no name twice in one object, no escaped lone surrogate, nesting no deeper than the caller says. Numbers are
// checked by their grammar alone and never converted, so that one of any size or precision passes; only integers that
// fit in 64 bits are read, for members that are listed.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define CSIMDJSON_NOEXCEPT noexcept
extern "C" {
#else
#define CSIMDJSON_NOEXCEPT
#endif

/// The largest document that is read, in bytes.
static const size_t csimdjson_maximum_bytes = 16 << 20;

/// The deepest nesting that a caller may allow.
static const uint32_t csimdjson_maximum_depth = 255;

/// Where a member stands.
typedef enum __attribute__((enum_extensibility(closed))) : uint8_t {
  /// In the document's object.
  CSimdjsonContainerTop,
  /// In the object that is the value of "metadata".
  CSimdjsonContainerMetadata,
  /// In the object that is the value of "context".
  CSimdjsonContainerContext,
} CSimdjsonContainer;

/// What a value is.
typedef enum __attribute__((enum_extensibility(closed))) : uint8_t {
  CSimdjsonKindNull,
  CSimdjsonKindBoolean,
  /// A number without fraction and exponent that fits in 64 bits.
  CSimdjsonKindInteger,
  /// Any other number.
  CSimdjsonKindNumber,
  CSimdjsonKindString,
  CSimdjsonKindObject,
  CSimdjsonKindArray,
} CSimdjsonKind;

/// Why a document is refused.
typedef enum __attribute__((enum_extensibility(closed))) : uint8_t {
  CSimdjsonProblemNone,
  /// There is no memory, or simdjson has no implementation for this processor.
  CSimdjsonProblemUnavailable,
  /// More than csimdjson_maximum_bytes.
  CSimdjsonProblemTooLarge,
  /// Nothing but whitespace.
  CSimdjsonProblemEmpty,
  CSimdjsonProblemInvalidUTF8,
  CSimdjsonProblemByteOrderMark,
  CSimdjsonProblemNotAnObject,
  /// Something that cannot stand in this place.
  CSimdjsonProblemUnexpected,
  /// A word other than true, false and null, or a number outside the grammar.
  CSimdjsonProblemScalar,
  CSimdjsonProblemEscape,
  CSimdjsonProblemLoneSurrogate,
  CSimdjsonProblemControlCharacter,
  CSimdjsonProblemUnterminatedString,
  /// The text ends inside an object or array.
  CSimdjsonProblemTruncated,
  CSimdjsonProblemTrailing,
  CSimdjsonProblemTooDeep,
  CSimdjsonProblemDuplicateName,
} CSimdjsonProblem;

/// Bytes that belong to the document; null and 0 where there are none.
typedef struct {
  const uint8_t *bytes;
  size_t count;
} CSimdjsonText;

/// One member of an object.
typedef struct {
  CSimdjsonContainer container;
  CSimdjsonKind kind;
  /// The name, unescaped.
  CSimdjsonText name;
  /// The value as it was sent, without the whitespace around it.
  CSimdjsonText raw;
  /// The text of a string, unescaped.
  CSimdjsonText text;
  /// The value of an integer.
  int64_t integer;
} CSimdjsonMember;

/// A document that was read, or the reason why it is refused.
typedef struct {
  CSimdjsonProblem problem;
  /// The byte that the problem was found at.
  size_t offset;
  /// For TooDeep and DuplicateName: the names of the top-level member concerned and of the member in it, if it is listed.
  CSimdjsonText outer, inner;
  /// For DuplicateName: the name.
  CSimdjsonText name;
  /// The members in the order in which they were sent: all of the document's object and, expanded, of its objects
  /// "metadata" and "context", each after the member that they belong to.
  const CSimdjsonMember *members;
  size_t count;
} CSimdjsonDocument;

/// Reads `count` bytes at `json`, which may be null when `count` is 0. What `document` points to is memory of the calling
/// thread and stays valid until csimdjson_release; the thread must not read another document before. Never throws.
void csimdjson_read(
  const uint8_t *json, size_t count, uint32_t maximum_depth, bool expand, CSimdjsonDocument *document)
  CSIMDJSON_NOEXCEPT;

/// Ends the use of the thread's document. The thread keeps memory for the next one, at most 256 KiB.
void csimdjson_release(void) CSIMDJSON_NOEXCEPT;

#ifdef __cplusplus
}
#endif
