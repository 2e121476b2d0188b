// Package cases keeps what is known and done about an abnormal use: a case is
// a sequence of events, appended and never changed, and its state is what the
// events add up to. Detection results come in through Service.Consider, people's
// acts through the other methods, and dueprocess says which measures are open.
//
// Storage implements Store, which this package owns. Time comes from the
// injected clock alone. No case leads further than the desk review yet;
// dueprocess.Furthest is the floor. The console, the API and host use Service;
// cases imports detect's results, dueprocess and the registry's nouns.
package cases
