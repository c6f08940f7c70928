package sim

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// api is an AWS service: what it is called and what it can do. A service is
// one file with a table of actions; apis() lists them.
type api struct {
	name    string // as in IAM actions and credential scopes
	target  string // prefix of X-Amz-Target, and service of rpc-v2-cbor's paths; empty: the query protocol alone
	version string // API version, of the query protocol's name space; empty: no query protocol
	actions map[string]action
}

// action is one API operation.
type action struct {
	bucket string // quota that it draws on
	open   bool   // needs no credentials
	do     func(*call) (any, error)
}

func apis() []api {
	return []api{ecsAPI(), stsAPI(), ecrAPI(), logsAPI(), autoscalingAPI(), codeDeployAPI(), elbAPI(), cloudWatchAPI()}
}

// call is one request on its way.
type call struct {
	*AWS
	api    api
	name   string // of the action
	caller caller
	region *region // of the caller's account
	wire   protocol
	body   []byte        // JSON, or the form of the query protocol
	id     string        // request id
	delay  time.Duration // simulated time that the answer takes
}

// protocol is how a request is written, and its answer. Some services speak
// several: the newest SDKs write rpc-v2-cbor to CloudWatch, older ones and most
// CLIs the query protocol.
type protocol int

const (
	jsonWire  protocol = iota // AWS JSON
	queryWire                 // a form, answered in XML
	cborWire                  // rpc-v2-cbor
)

// apiError is an answer that is an error.
type apiError struct {
	Status  int
	Code    string
	Message string
}

func (e *apiError) Error() string { return e.Code + ": " + e.Message }

func fault(code, format string, args ...any) error {
	return &apiError{http.StatusBadRequest, code, fmt.Sprintf(format, args...)}
}

// ServeHTTP answers a request as AWS would, after the world's latency; it
// blocks that long, or until the request's context ends.
func (a *AWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// More than AWS accepts, but a bound.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 8<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	reply, delay := a.handle(r, body)
	if !a.wait(r, delay) {
		return
	}
	w.Header().Set("Content-Type", reply.mediaType)
	if reply.mediaType == cborType {
		w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
	}
	w.Header().Set("X-Amzn-Requestid", reply.id)
	w.Header().Set("Content-Length", strconv.Itoa(len(reply.text)))
	w.WriteHeader(reply.status)
	// An error means that the client has gone, which is its own affair.
	_, _ = w.Write(reply.text)
}

// reply is an answer in its wire form.
type reply struct {
	status    int
	mediaType string
	id        string
	text      []byte
}

// wait lets simulated time pass; false when the client has gone.
func (a *AWS) wait(r *http.Request, d time.Duration) bool {
	d = time.Duration(float64(d) / a.world.Speed)
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// handle lets the world move up to now, then does what the request asks. The
// answer is encoded under the lock, since it may share data with the world.
func (a *AWS) handle(r *http.Request, body []byte) (reply, time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.advance(a.Now())
	c := &call{AWS: a, body: body, id: a.uuid(), delay: time.Duration(a.world.Latency)}
	record := Call{At: a.clock}
	answer, err := c.serve(r, &record)
	if err != nil {
		record.Code = asAPIError(err).Code
		record.Throttled = strings.HasPrefix(record.Code, "Throttl")
	}
	if !a.forgetful {
		a.calls = append(a.calls, record)
	}
	return c.reply(answer, err), c.delay
}

func (c *call) reply(answer any, err error) reply {
	switch {
	case c.wire == cborWire:
		return c.cborReply(answer, err)
	case c.wire == queryWire && c.api.name != "":
		return c.xmlReply(answer, err)
	}
	return c.jsonReply(answer, err)
}

// serve is the way of a request: which action, whose, within its quota,
// allowed, meant to fail, done. AWS does not document the order of quota and
// permission.
func (c *call) serve(r *http.Request, record *Call) (any, error) {
	act, err := c.route(r)
	record.Service, record.Action, record.Bucket = c.api.name, c.name, act.bucket
	if err != nil {
		return nil, err
	}
	if c.caller, err = c.identify(r, act.open); err != nil {
		return nil, err
	}
	c.region = c.regionOf(c.caller.account, c.caller.region)
	record.Account, record.Region, record.Client = c.caller.account, c.caller.region, c.caller.key
	if b := c.region.buckets[act.bucket]; b != nil && !b.take(c.clock, 1) {
		return nil, fault("ThrottlingException", "Rate exceeded")
	}
	if err := c.authorize(); err != nil {
		return nil, err
	}
	return c.withFaults(act.do)
}

// route finds the action. JSON services name it in a header, query services in
// the form, rpc-v2-cbor in the path.
func (c *call) route(r *http.Request) (action, error) {
	prefix, name, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	version := ""
	rest, rpc := strings.CutPrefix(r.URL.Path, "/service/")
	switch {
	case rpc:
		prefix, name, _ = strings.Cut(rest, "/operation/")
		c.wire = cborWire
		if err := c.bodyFromCBOR(); err != nil {
			return action{}, err
		}
	case prefix == "":
		c.wire = queryWire
		form := c.form()
		name, version = form.Get("Action"), form.Get("Version")
	}
	for _, s := range c.apis {
		if version == "" && s.target != prefix || version != "" && s.version != version {
			continue
		}
		c.api, c.name = s, name
		if act, ok := s.actions[name]; ok {
			return act, nil
		}
	}
	if c.api.name != "" && c.wire == queryWire {
		return action{}, fault("InvalidAction", "Could not find operation %s for version %s", name, version)
	}
	return action{}, fault("UnknownOperationException", "")
}

// decode reads the members of a request into a struct, whose JSON names are the
// members'. As in AWS, members that the struct does not know are ignored, names
// are case-sensitive, and a value of a wrong type is a SerializationException.
func (c *call) decode(into any) error {
	if c.wire == queryWire {
		return fromForm(c.form(), "", reflect.ValueOf(into).Elem())
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(c.body, &members); err != nil {
		return fault("SerializationException", "%s", "the request is no JSON object")
	}
	v := reflect.ValueOf(into).Elem()
	for _, f := range reflect.VisibleFields(v.Type()) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		raw, given := members[name]
		if !given || name == "" {
			continue
		}
		if err := json.Unmarshal(raw, v.FieldByIndex(f.Index).Addr().Interface()); err != nil {
			return fault("SerializationException", "%s: %s", name, typeMistake(err))
		}
	}
	return nil
}

func typeMistake(err error) string {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Sprintf("%s can not be converted to %s", strings.ToUpper(wrong.Value)+"_VALUE", wrong.Type)
	}
	return err.Error()
}

// form is the request of a query service.
func (c *call) form() url.Values {
	form, _ := url.ParseQuery(string(c.body))
	return form
}

// jsonReply answers in AWS JSON 1.1.
// https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
func (c *call) jsonReply(answer any, err error) reply {
	status := http.StatusOK
	if err != nil {
		e := asAPIError(err)
		status, answer = e.Status, map[string]string{"__type": e.Code, "message": e.Message}
	}
	text, err := json.Marshal(answer)
	if err != nil {
		panic("sim: an answer cannot be encoded: " + err.Error())
	}
	return reply{status, "application/x-amz-json-1.1", c.id, text}
}

type xmlError struct {
	XMLName   xml.Name `xml:"ErrorResponse"`
	NS        string   `xml:"xmlns,attr"`
	Type      string   `xml:"Error>Type"`
	Code      string   `xml:"Error>Code"`
	Message   string   `xml:"Error>Message"`
	RequestID string   `xml:"RequestId"`
}

// xmlReply answers in the query protocol.
// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
func (c *call) xmlReply(answer any, err error) reply {
	ns := "https://" + c.api.name + ".amazonaws.com/doc/" + c.api.version + "/"
	status, text := http.StatusOK, []byte(nil)
	if err != nil {
		e := asAPIError(err)
		status = e.Status
		side := "Sender"
		if status >= 500 {
			side = "Receiver"
		}
		text, err = xml.Marshal(xmlError{NS: ns, Type: side, Code: e.Code, Message: e.Message, RequestID: c.id})
	} else {
		text, err = resultXML(c.name, ns, c.id, answer)
	}
	if err != nil {
		panic("sim: an answer cannot be encoded: " + err.Error())
	}
	return reply{status, "text/xml", c.id, text}
}

// resultXML wraps a result as the query protocol does; the wrapping elements
// are named after the action, which struct tags cannot say.
func resultXML(action, ns, id string, answer any) ([]byte, error) {
	var b bytes.Buffer
	e := xml.NewEncoder(&b)
	outer := xml.StartElement{Name: xml.Name{Local: action + "Response"}, Attr: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: ns}}}
	meta := struct{ RequestId string }{id}
	err := errors.Join(
		e.EncodeToken(outer),
		e.EncodeElement(answer, xml.StartElement{Name: xml.Name{Local: action + "Result"}}),
		e.EncodeElement(meta, xml.StartElement{Name: xml.Name{Local: "ResponseMetadata"}}),
		e.EncodeToken(outer.End()),
		e.Flush(),
	)
	return b.Bytes(), err
}

func asAPIError(err error) *apiError {
	var e *apiError
	if errors.As(err, &e) {
		return e
	}
	return &apiError{http.StatusInternalServerError, "InternalFailure", err.Error()}
}

// stamp is an instant as AWS JSON has it: seconds since 1970, to the
// millisecond.
type stamp time.Time

func (s stamp) MarshalJSON() ([]byte, error) {
	return []byte(strconv.FormatFloat(float64(time.Time(s).UnixMilli())/1000, 'f', 3, 64)), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *stamp) UnmarshalJSON(b []byte) error {
	seconds, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return &json.UnmarshalTypeError{Value: "string", Type: reflect.TypeFor[time.Time]()}
	}
	*s = stamp(time.UnixMilli(int64(math.Round(seconds * 1000))).UTC())
	return nil
}

// MarshalText writes the query protocol's form.
func (s stamp) MarshalText() ([]byte, error) {
	return []byte(time.Time(s).UTC().Format("2006-01-02T15:04:05.000Z")), nil
}

// UnmarshalText reads the query protocol's form.
func (s *stamp) UnmarshalText(b []byte) error {
	t, err := time.Parse(time.RFC3339, string(b))
	*s = stamp(t.UTC())
	return err
}
