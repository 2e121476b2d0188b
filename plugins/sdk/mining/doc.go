// Package mining knows what a hash costs: how much energy the machines in use
// need for a hash of each mining algorithm, from the most efficient to the
// least, which algorithm a coin is mined with, and how large rigs are.
//
// Hash rates of different algorithms do not compare: a kilowatt makes some 50
// TH/s of SHA-256 and some 0.15 GH/s of Ethash on graphics cards. A sum of hash
// rates over several algorithms therefore says nothing of power.
//
// The figures are nameplate values at the wall: hash rate and power from the
// makers' public data sheets for ASICs; for graphics cards and processors,
// usual settings of miners with the share of the host and its power supply
// (some 15 %). Machines on the market when the table was made are named
// beside each figure, so that whoever doubts one can look it up.
//
// The package needs the standard library only and is open to every detector.
package mining
