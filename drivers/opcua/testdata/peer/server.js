// An OPC UA server made with node-opcua, as a peer that shares no code with
// the driver. It prints one line of JSON with its port and the SHA-256 of its
// certificate, and ends when its standard input closes.
//
// Nodes (namespace urn:gridwarden:peer, index 1 or above as printed), for each
// transformer T1 to T40:
//   Tn.ActivePower  Double, W     1000 * n + 0.5
//   Tn.VoltageA     Float, V      230.25
//   Tn.VoltageB     UInt16, 0.1 V 2310
//   Tn.TopOil       Int32, °C     -n
//   Tn.Energy       UInt64, Wh    counts up by 1 every 100 ms
// and of T1 alone: NaN, Text, Broken (BadSensorFailure), Lost
// (BadNoCommunication), LastKnown (UncertainLastUsableValue), Ahead (its
// source's clock a day ahead).
"use strict";
const fs = require("fs");
const os = require("os");
const path = require("path");
const crypto = require("crypto");
const {
  OPCUAServer, OPCUACertificateManager, Variant, VariantArrayType, DataType, DataValue, StatusCodes,
  SecurityPolicy, MessageSecurityMode, UserTokenType,
} = require("node-opcua");

async function main() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "gridwarden-opcua-"));
  const certificates = new OPCUACertificateManager({ rootFolder: path.join(folder, "pki"), automaticallyAcceptUnknownCertificate: true });
  await certificates.initialize();
  const server = new OPCUAServer({
    port: Number(process.argv[2] || 0),
    host: "127.0.0.1",
    hostname: "127.0.0.1",
    resourcePath: "/peer",
    serverCertificateManager: certificates,
    userCertificateManager: certificates,
    securityPolicies: [SecurityPolicy.None, SecurityPolicy.Basic256Sha256, SecurityPolicy.Aes128_Sha256_RsaOaep, SecurityPolicy.Aes256_Sha256_RsaPss],
    securityModes: [MessageSecurityMode.None, MessageSecurityMode.Sign, MessageSecurityMode.SignAndEncrypt],
    allowAnonymous: true,
    userManager: { isValidUser: (user, password) => user === "reader" && password === "let me read" },
    serverInfo: { applicationName: { text: "peer" } },
    registerServerMethod: 1,
    serverCapabilities: { maxSessions: 50, operationLimits: { maxNodesPerRead: Number(process.argv[3] || 0) } },
  });
  await server.initialize();
  const space = server.engine.addressSpace;
  const ns = space.registerNamespace("urn:gridwarden:peer");
  const folderNode = ns.addFolder("ObjectsFolder", { browseName: "Transformers" });
  const add = (id, dataType, read) => ns.addVariable({
    componentOf: folderNode, browseName: id, nodeId: `s=${id}`, dataType,
    minimumSamplingInterval: 50,
    value: { timestamped_get: () => read() },
  });
  const now = (dataType, value, statusCode = StatusCodes.Good, at = new Date()) =>
    new DataValue({ value: new Variant({ dataType, arrayType: VariantArrayType.Scalar, value }), statusCode, sourceTimestamp: at, serverTimestamp: new Date() });
  const began = Date.now();
  for (let n = 1; n <= 40; n++) {
    add(`T${n}.ActivePower`, "Double", () => now(DataType.Double, 1000 * n + 0.5));
    add(`T${n}.VoltageA`, "Float", () => now(DataType.Float, 230.25));
    add(`T${n}.VoltageB`, "UInt16", () => now(DataType.UInt16, 2310));
    add(`T${n}.TopOil`, "Int32", () => now(DataType.Int32, -n));
    add(`T${n}.Energy`, "UInt64", () => now(DataType.UInt64, [0, Math.floor((Date.now() - began) / 100)]));
  }
  add("T1.NaN", "Double", () => now(DataType.Double, NaN));
  add("T1.Text", "String", () => now(DataType.String, "230 V"));
  add("T1.Broken", "Double", () => now(DataType.Double, 7, StatusCodes.BadSensorFailure));
  add("T1.Lost", "Double", () => now(DataType.Double, 7, StatusCodes.BadNoCommunication));
  add("T1.LastKnown", "Double", () => now(DataType.Double, 7, StatusCodes.UncertainLastUsableValue));
  add("T1.Ahead", "Double", () => now(DataType.Double, 7, StatusCodes.Good, new Date(Date.now() + 86400000)));
  await server.start();
  const endpoint = server.endpoints[0];
  console.log(JSON.stringify({
    port: endpoint.port,
    namespace: ns.index,
    sha256: crypto.createHash("sha256").update(server.getCertificate()).digest("hex"),
  }));
  process.stdin.resume();
  process.stdin.on("end", () => {
    fs.rmSync(folder, { recursive: true, force: true });
    process.exit(0);
  });
}

main().catch((err) => { console.error(err); process.exit(1); });
