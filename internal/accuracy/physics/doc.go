// Package physics is an injector of mines and of legitimate flat loads that
// was written from how the machines work, apart from the injectors of the
// package above: hash boards, graphics cards, fans, power supplies, rooms that
// warm up, compressors, rectifiers, chargers, stepped in five minutes and then
// averaged to the interval of the load. The benchmark measures with it; nothing
// is fitted on it.
package physics
