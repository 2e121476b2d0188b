"""Serves detectors to the host over gRPC, as hashicorp/go-plugin expects it."""

import base64
import datetime
import json
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from concurrent import futures

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gridwarden import detector_pb2 as pb
from gridwarden.window import ContractError, Report, WindowAssembler

COOKIE = ("GRIDWARDEN_DETECTOR", "a1f7c2d49b0e4c52")
MAX_MESSAGE_BYTES = 64 << 20
MAX_ERROR_CHARACTERS = 4000
WATCH_SECONDS = 0.25
SERVICE = "gridwarden.detector.v1.DetectorService"


def serve(*detectors):
    """Turns the process into a plugin; returns when the host ends it."""
    if os.environ.get(COOKIE[0]) != COOKIE[1]:
        sys.exit("This program is a detector of Gridwarden: the host starts it, nobody else.")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the host is told by the terminal, and tells us
    handshake, sys.stdout = sys.stdout, sys.stderr  # what a detector prints must not look like the handshake
    watch_parent()

    ended = threading.Event()
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=16),
        options=[("grpc.max_receive_message_length", MAX_MESSAGE_BYTES), ("grpc.max_send_message_length", MAX_MESSAGE_BYTES)],
    )
    server.add_generic_rpc_handlers((detector_service(detectors), health_service(), *plugin_services(ended)))
    folder = os.environ.get("PLUGIN_UNIX_SOCKET_DIR") or tempfile.gettempdir()
    path = os.path.join(folder, "plugin%d" % os.getpid())
    certificate = listen(server, path)
    server.start()
    print("1|1|unix|%s|grpc|%s" % (path, certificate), file=handshake, flush=True)
    ended.wait()
    server.stop(grace=0.5).wait()


def listen(server, path):
    """Opens the socket, with mutual TLS where the host offers its
    certificate, and returns our certificate as the handshake line carries it."""
    host = os.environ.get("PLUGIN_CLIENT_CERT", "")
    if not host:
        server.add_insecure_port("unix:" + path)
        return ""
    key, certificate = one_time_certificate()
    server.add_secure_port("unix:" + path, grpc.ssl_server_credentials(
        [(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
            certificate.public_bytes(serialization.Encoding.PEM),
        )],
        root_certificates=host.encode(),
        require_client_auth=True,
    ))
    return base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode().rstrip("=")


def one_time_certificate():
    """Makes a key and a certificate of its own for this run; the host trusts
    exactly the one that the handshake names."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.utcnow()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5)).not_valid_after(now + datetime.timedelta(days=3650))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def watch_parent():
    """Ends the process once the host has died, even if it was killed outright."""
    parent = os.getppid()
    host = int(os.environ.get("GRIDWARDEN_HOST_PID") or parent)

    def watch():
        while os.getppid() == parent and alive(host):
            time.sleep(WATCH_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def detector_service(detectors):
    """The one service of detector.proto."""
    by_name = {d.describe().name: d for d in detectors}

    def describe(_request, _context):
        return pb.DescribeResponse(detectors=[description(d) for d in detectors])

    def configure(request, context):
        d = by_name.get(request.detector)
        if d is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "no detector %r is served here" % request.detector)
        return pb.ConfigureResponse(errors=[pb.FieldError(field=f, message=m) for f, m in configured(d, request.config)])

    def evaluate(requests, context):
        d = by_name.get(next(requests).open.detector)
        if d is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such detector is served here")
        assembler = WindowAssembler()
        try:
            for message in requests:
                window = assembler.add(message.part)
                if window is not None:
                    yield from judge(d, window, lambda: not context.is_active())
        except ContractError as err:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(err))

    return grpc.method_handlers_generic_handler(SERVICE, {
        "Describe": grpc.unary_unary_rpc_method_handler(describe, pb.DescribeRequest.FromString, pb.DescribeResponse.SerializeToString),
        "Configure": grpc.unary_unary_rpc_method_handler(configure, pb.ConfigureRequest.FromString, pb.ConfigureResponse.SerializeToString),
        "Evaluate": grpc.stream_stream_rpc_method_handler(evaluate, pb.EvaluateRequest.FromString, pb.EvaluateResponse.SerializeToString),
    })


def description(d):
    out = d.describe()
    out.configurable = hasattr(d, "configure")
    return out


def configured(d, data):
    """Gives a detector its configuration and returns the fields that are wrong."""
    if not hasattr(d, "configure"):
        return [("", "the detector takes no configuration")]
    try:
        config = json.loads(data)
    except ValueError as err:
        return [("", "not JSON: %s" % err)]
    if not isinstance(config, dict):
        return [("", "a JSON object is due")]
    return d.configure(config)


def judge(d, window, cancelled):
    """Yields the messages about one window, the last of them its Done."""
    report, done = Report(window), pb.Done()
    try:
        d.evaluate(window, report, cancelled)
        if cancelled():
            return
        yield from report.messages()
    except Exception:  # the detector's own mistake: this window was not judged, the next may be
        done.error = traceback.format_exc()[-MAX_ERROR_CHARACTERS:]
    yield pb.EvaluateResponse(window_id=window.id, done=done)


def health_service():
    """grpc.health.v1: the host asks whether the process answers at all."""
    serving = b"\x08\x01"  # HealthCheckResponse{status: SERVING}
    return grpc.method_handlers_generic_handler("grpc.health.v1.Health", {
        "Check": grpc.unary_unary_rpc_method_handler(lambda _request, _context: serving),
    })


def plugin_services(ended):
    """go-plugin's own services: the host ends us by Shutdown; there is no
    broker and nothing on stdout, so that these streams just stay open."""
    def shutdown(_request, _context):
        ended.set()
        return b""

    def quiet(_request, _context):
        ended.wait()
        yield from ()

    return (
        grpc.method_handlers_generic_handler("plugin.GRPCController", {"Shutdown": grpc.unary_unary_rpc_method_handler(shutdown)}),
        grpc.method_handlers_generic_handler("plugin.GRPCStdio", {"StreamStdio": grpc.unary_stream_rpc_method_handler(quiet)}),
        grpc.method_handlers_generic_handler("plugin.GRPCBroker", {"StartStream": grpc.stream_stream_rpc_method_handler(quiet)}),
    )
