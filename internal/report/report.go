// Package report is the record of a run and its rendering: the plan table, the
// live log, the Markdown summary, the JSON document and the hints.
//
// It is pure: it takes values and returns text, and writes nothing itself. All
// text that came from AWS or a user is escaped here, where it is put into
// Markdown.
//
// Read next: result.go (what is recorded), summary.go (what people read),
// hint.go (what to do about an error).
package report
