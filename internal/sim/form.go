package sim

import (
	"encoding"
	"fmt"
	"net/url"
	"reflect"
	"strconv"
	"strings"
)

// fromForm reads what stands in a form of the query protocol below a prefix:
// "Metric.Dimensions.member.1.Name".
// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
func fromForm(form url.Values, prefix string, into reflect.Value) error {
	if text, ok := into.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return textFromForm(form, prefix, text.UnmarshalText)
	}
	switch into.Kind() {
	case reflect.Struct:
		for _, f := range reflect.VisibleFields(into.Type()) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "" {
				continue
			}
			if prefix != "" {
				name = prefix + "." + name
			}
			if err := fromForm(form, name, into.FieldByIndex(f.Index)); err != nil {
				return err
			}
		}
		return nil
	case reflect.Slice:
		return listFromForm(form, prefix, into)
	case reflect.Pointer:
		if inForm(form, prefix) {
			into.Set(reflect.New(into.Type().Elem()))
			return fromForm(form, prefix, into.Elem())
		}
		return nil
	}
	return textFromForm(form, prefix, func(b []byte) error {
		_, err := fmt.Sscan(string(b), into.Addr().Interface())
		if into.Kind() == reflect.String {
			into.SetString(string(b)) // Sscan would stop at a blank
			return nil
		}
		return err
	})
}

func listFromForm(form url.Values, prefix string, into reflect.Value) error {
	for n := 1; ; n++ {
		item := prefix + ".member." + strconv.Itoa(n)
		if !inForm(form, item) {
			return nil
		}
		into.Set(reflect.Append(into, reflect.Zero(into.Type().Elem())))
		if err := fromForm(form, item, into.Index(n-1)); err != nil {
			return err
		}
	}
}

func inForm(form url.Values, prefix string) bool {
	if form.Has(prefix) {
		return true
	}
	for name := range form {
		if strings.HasPrefix(name, prefix+".") {
			return true
		}
	}
	return false
}

func textFromForm(form url.Values, name string, set func([]byte) error) error {
	if !form.Has(name) {
		return nil
	}
	if err := set([]byte(form.Get(name))); err != nil {
		return fault("MalformedInput", "%s: %q cannot be read", name, form.Get(name))
	}
	return nil
}
