package sim

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"reflect"
	"strings"
	"time"
)

// The part of CBOR (RFC 8949) that Smithy's rpc-v2-cbor uses.
// https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html

const cborType = "application/cbor"

// CBOR's major types.
const (
	cborUint byte = iota
	cborNegative
	_ // byte strings
	cborText
	cborList
	cborMap
	cborTag
	cborOther // simple values and floats
)

var errCBOR = errors.New("the request is no CBOR that this service reads")

// bodyFromCBOR turns the body into JSON, which all actions read.
func (c *call) bodyFromCBOR() error {
	if len(c.body) == 0 {
		c.body = []byte("{}")
		return nil
	}
	d := cborReader{rest: c.body}
	v, err := d.value(0)
	if err == nil {
		c.body, err = json.Marshal(v)
	}
	if err != nil {
		c.body = nil
		return fault("SerializationException", "%v", err)
	}
	return nil
}

func (c *call) cborReply(answer any, err error) reply {
	status := http.StatusOK
	if err != nil {
		e := asAPIError(err)
		status, answer = e.Status, map[string]any{"__type": e.Code, "message": e.Message}
	}
	return reply{status, cborType, c.id, toCBOR(nil, reflect.ValueOf(answer))}
}

type cborReader struct{ rest []byte }

// cborDepth bounds how deep values are nested.
const cborDepth = 32

func (r *cborReader) value(depth int) (any, error) {
	major, low, n, err := r.head()
	if err != nil || depth > cborDepth {
		return nil, errCBOR
	}
	endless := low == 31
	switch major {
	case cborUint:
		return n, nil
	case cborNegative:
		return -1 - int64(n), nil
	case cborText:
		return r.text(n, endless)
	case cborList:
		list := []any{}
		err := r.items(n, endless, func() error {
			v, err := r.value(depth + 1)
			list = append(list, v)
			return err
		})
		return list, err
	case cborMap:
		m := map[string]any{}
		err := r.items(n, endless, func() error {
			key, err := r.value(depth + 1)
			name, ok := key.(string)
			if err != nil || !ok {
				return errCBOR
			}
			m[name], err = r.value(depth + 1)
			return err
		})
		return m, err
	case cborTag: // 1: seconds since 1970, which JSON has without a tag
		return r.value(depth + 1)
	case cborOther:
		return other(low, n)
	}
	return nil, errCBOR
}

// other are the values that are neither numbers without a fraction nor made of
// parts.
func other(low byte, n uint64) (any, error) {
	switch low {
	case 20:
		return false, nil
	case 21:
		return true, nil
	case 22, 23: // null, undefined
		return nil, nil
	case 26:
		return float64(math.Float32frombits(uint32(n))), nil
	case 27:
		return math.Float64frombits(n), nil
	}
	return nil, errCBOR
}

// head reads the first byte of an item and the number that belongs to it.
func (r *cborReader) head() (major, low byte, n uint64, err error) {
	first, err := r.take(1)
	if err != nil {
		return 0, 0, 0, err
	}
	major, low = first[0]>>5, first[0]&31
	switch {
	case low < 24:
		return major, low, uint64(low), nil
	case low < 28:
		bytes, err := r.take(1 << (low - 24))
		for _, b := range bytes {
			n = n<<8 | uint64(b)
		}
		return major, low, n, err
	case low == 31 && (major == cborText || major == cborList || major == cborMap):
		return major, low, 0, nil
	}
	return 0, 0, 0, errCBOR
}

func (r *cborReader) take(n uint64) ([]byte, error) {
	if uint64(len(r.rest)) < n {
		return nil, errCBOR
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken, nil
}

// text is a text of n bytes, or one in parts up to the break.
func (r *cborReader) text(n uint64, endless bool) (string, error) {
	if !endless {
		b, err := r.take(n)
		return string(b), err
	}
	var all strings.Builder
	err := r.items(0, true, func() error {
		part, err := r.value(cborDepth)
		text, ok := part.(string)
		if err != nil || !ok {
			return errCBOR
		}
		all.WriteString(text)
		return nil
	})
	return all.String(), err
}

// items calls read n times, or up to the break.
func (r *cborReader) items(n uint64, endless bool, read func() error) error {
	for i := uint64(0); endless || i < n; i++ {
		if endless && len(r.rest) > 0 && r.rest[0] == 0xff {
			r.rest = r.rest[1:]
			return nil
		}
		if err := read(); err != nil {
			return err
		}
	}
	return nil
}

// toCBOR appends a value: structs by the JSON names of their fields.
func toCBOR(b []byte, v reflect.Value) []byte {
	if !v.IsValid() {
		return append(b, 0xf6) // null
	}
	if at, ok := v.Interface().(stamp); ok {
		b = cborHead(b, cborTag, 1)
		return cborFloat(b, float64(time.Time(at).UnixMilli())/1000)
	}
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		return toCBOR(b, v.Elem())
	case reflect.String:
		return append(cborHead(b, cborText, uint64(v.Len())), v.String()...)
	case reflect.Bool:
		if v.Bool() {
			return append(b, 0xf5)
		}
		return append(b, 0xf4)
	case reflect.Float64:
		return cborFloat(b, v.Float())
	case reflect.Slice:
		b = cborHead(b, cborList, uint64(v.Len()))
		for i := range v.Len() {
			b = toCBOR(b, v.Index(i))
		}
		return b
	case reflect.Map:
		b = cborHead(b, cborMap, uint64(v.Len()))
		for _, key := range v.MapKeys() {
			b = toCBOR(toCBOR(b, key), v.MapIndex(key))
		}
		return b
	case reflect.Struct:
		return structToCBOR(b, v)
	}
	if n := v.Int(); n < 0 {
		return cborHead(b, cborNegative, uint64(-1-n))
	}
	return cborHead(b, cborUint, uint64(v.Int()))
}

func structToCBOR(b []byte, v reflect.Value) []byte {
	count := 0
	var members []byte
	for _, f := range reflect.VisibleFields(v.Type()) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" || options == "omitempty" && v.FieldByIndex(f.Index).IsZero() {
			continue
		}
		count++
		members = toCBOR(toCBOR(members, reflect.ValueOf(name)), v.FieldByIndex(f.Index))
	}
	return append(cborHead(b, cborMap, uint64(count)), members...)
}

func cborHead(b []byte, major byte, n uint64) []byte {
	major <<= 5
	switch {
	case n < 24:
		return append(b, major|byte(n))
	case n <= math.MaxUint8:
		return append(b, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, major|27), n)
}

func cborFloat(b []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(append(b, cborOther<<5|27), math.Float64bits(f))
}
