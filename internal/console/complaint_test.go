package console

import (
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
)

// complaint is what the browser has to say against a page: a blocked style or
// script, a failed load, an exception; "" for everything else.
func complaint(event any) string {
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry != nil && e.Entry.Level == log.EntryLevelError {
			return e.Entry.Text
		}
	case *runtime.EventExceptionThrown:
		if e.ExceptionDetails != nil {
			return e.ExceptionDetails.Text
		}
	}
	return ""
}
