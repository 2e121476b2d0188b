// Package stress injects mines and innocent look-alikes into real loads to
// find where hiddenmining breaks and to fit its score cards.
//
// It is a third injector, written apart from the two that the bench measures
// with, and it varies what they hold fixed: windows of 14 to 365 days,
// intervals of 15, 30 and 60 minutes, gaps and estimated days, habits (all
// day, out of the evening peak, nights only, curtailment on call, stops when
// mining does not pay), failing boards, air conditioning, power factor and
// harmonics, and mines from a twelfth to three times of their host.
package stress
