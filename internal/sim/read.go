package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
)

// ReadWorld reads a World from JSON. Unknown fields are mistakes; all mistakes
// are reported at once, each with its line, column and path. It does not judge
// the world: New does.
func ReadWorld(r io.Reader) (World, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return World{}, fmt.Errorf("world: %w", err)
	}
	if at, err := syntaxError(text); err != nil {
		return World{}, fmt.Errorf("world: %s: %w", place(text, at), err)
	}
	var w World
	rd := reader{text: text}
	rd.value(reflect.ValueOf(&w).Elem(), 0, "")
	return w, errors.Join(rd.mistakes...)
}

// reader fills a value and keeps count of where in the text it is, which
// encoding/json does not tell of unknown fields and of errors in
// UnmarshalJSON methods.
type reader struct {
	text     []byte
	mistakes []error
}

func (r *reader) mistake(at int, path, format string, args ...any) {
	if path == "" {
		path = "the world"
	}
	r.mistakes = append(r.mistakes, fmt.Errorf("world: %s: %s: %s", place(r.text, at), path, fmt.Sprintf(format, args...)))
}

// value decodes the JSON value that begins at offset at.
func (r *reader) value(v reflect.Value, at int, path string) {
	raw, at := r.raw(at)
	if string(raw) == "null" {
		return // as if it were not there
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	_, custom := v.Addr().Interface().(json.Unmarshaler)
	switch {
	case !custom && v.Kind() == reflect.Struct && raw[0] == '{':
		r.object(v, at, path)
	case !custom && v.Kind() == reflect.Map && raw[0] == '{':
		r.dict(v, at, path)
	case !custom && v.Kind() == reflect.Slice && raw[0] == '[':
		r.list(v, at, path)
	default:
		r.leaf(v, raw, at, path)
	}
}

func (r *reader) leaf(v reflect.Value, raw []byte, at int, path string) {
	err := json.Unmarshal(raw, v.Addr().Interface())
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong):
		r.mistake(at, path, "%s where %s belongs", wrong.Value, kindName(v))
	case err != nil:
		r.mistake(at, path, "%v", err)
	}
}

func kindName(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Slice:
		return "a list"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	}
	return "a number"
}

func (r *reader) object(v reflect.Value, at int, path string) {
	fields := map[string][]int{}
	for _, f := range reflect.VisibleFields(v.Type()) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			fields[name] = f.Index
		}
	}
	r.members(at, path, func(key string, keyAt, valueAt int) {
		index, known := fields[key]
		if !known {
			r.mistake(keyAt, join(path, key), "no such field; there are %s", strings.Join(sortedKeys(fields), ", "))
			return
		}
		r.value(v.FieldByIndex(index), valueAt, join(path, key))
	})
}

func (r *reader) dict(v reflect.Value, at int, path string) {
	v.Set(reflect.MakeMap(v.Type()))
	r.members(at, path, func(key string, _, valueAt int) {
		item := reflect.New(v.Type().Elem()).Elem()
		r.value(item, valueAt, join(path, key))
		v.SetMapIndex(reflect.ValueOf(key), item)
	})
}

func (r *reader) list(v reflect.Value, at int, path string) {
	dec, base := r.decoder(at)
	dec.Token() // [
	for dec.More() {
		item := reflect.New(v.Type().Elem()).Elem()
		r.value(item, base+int(dec.InputOffset()), fmt.Sprintf("%s[%d]", path, v.Len()))
		v.Set(reflect.Append(v, item))
		skip(dec)
	}
}

// members calls f for each member of the object at offset at; a name that
// comes twice is a mistake, since only one of the two could count.
func (r *reader) members(at int, path string, f func(key string, keyAt, valueAt int)) {
	dec, base := r.decoder(at)
	dec.Token() // {
	seen := map[string]bool{}
	for dec.More() {
		_, keyAt := r.raw(base + int(dec.InputOffset()))
		token, _ := dec.Token()
		key, _ := token.(string)
		if seen[key] {
			r.mistake(keyAt, join(path, key), "given twice")
		}
		seen[key] = true
		f(key, keyAt, base+int(dec.InputOffset()))
		skip(dec)
	}
}

func (r *reader) decoder(at int) (*json.Decoder, int) {
	return json.NewDecoder(bytes.NewReader(r.text[at:])), at
}

// raw is the JSON value at or behind offset at, and where it begins.
func (r *reader) raw(at int) (json.RawMessage, int) {
	at += len(r.text[at:]) - len(bytes.TrimLeft(r.text[at:], " \t\r\n,:"))
	var raw json.RawMessage
	if err := json.NewDecoder(bytes.NewReader(r.text[at:])).Decode(&raw); err != nil {
		panic("sim: the world's syntax was checked before: " + err.Error())
	}
	return raw, at
}

func skip(dec *json.Decoder) {
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		panic("sim: the world's syntax was checked before: " + err.Error())
	}
}

// syntaxError is the first error of syntax and its offset.
func syntaxError(text []byte) (int, error) {
	var any json.RawMessage
	err := json.Unmarshal(text, &any)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return int(syntax.Offset), err
	}
	return 0, err
}

// place is "line:column", counted from 1, in bytes.
func place(text []byte, at int) string {
	before := text[:min(at, len(text))]
	line := bytes.Count(before, []byte("\n"))
	return fmt.Sprintf("%d:%d", line+1, len(before)-bytes.LastIndexByte(before, '\n'))
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
