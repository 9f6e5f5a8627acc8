"""What a program in Python does with a cluster: objects and their watch, a followed log, exec, port-forward."""

import sys

from kubernetes import client, config, watch
from kubernetes.stream import portforward, stream

kubeconfig, namespace, pod, port, path, expected = sys.argv[1:]
LIMIT = 60
config.load_kube_config(kubeconfig)
core = client.CoreV1Api()


def check(what, wanted, got):
    if wanted != got:
        sys.exit(f"{what}: wanted {wanted!r}, got {got!r}")


def objects_and_their_watch():
    check("pod", pod, core.read_namespaced_pod(pod, namespace).metadata.name)
    name = "python"
    core.create_namespaced_config_map(
        namespace, client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name), data={"a": "one"})
    )
    seen = []
    watching = watch.Watch()
    for event in watching.stream(
        core.list_namespaced_config_map,
        namespace,
        field_selector=f"metadata.name={name}",
        timeout_seconds=LIMIT,
    ):
        seen.append((event["type"], event["object"].data["a"]))
        if event["type"] == "ADDED":
            core.patch_namespaced_config_map(name, namespace, {"data": {"a": "two"}})
        elif event["type"] == "MODIFIED":
            core.delete_namespaced_config_map(name, namespace)
        else:
            watching.stop()
    check("watch", [("ADDED", "one"), ("MODIFIED", "two"), ("DELETED", "two")], seen)


def followed_log():
    lines = []
    watching = watch.Watch()
    for line in watching.stream(
        core.read_namespaced_pod_log, name=pod, namespace=namespace, tail_lines=1
    ):
        lines.append(int(line.split()[1]))
        if len(lines) == 5:
            watching.stop()
    check("log", list(range(lines[0], lines[0] + 5)), lines)


def exec_with_input_and_exit_code():
    session = stream(
        core.connect_get_namespaced_pod_exec,
        pod,
        namespace,
        command=["sh", "-c", "read word; echo got $word; echo bad >&2; exit 7"],
        stdin=True,
        stdout=True,
        stderr=True,
        tty=False,
        _preload_content=False,
    )
    session.write_stdin("hello\n")
    session.run_forever(timeout=LIMIT)
    check("stdout", "got hello\n", session.read_stdout())
    check("stderr", "bad\n", session.read_stderr())
    check("exit code", 7, session.returncode)


def port_forward():
    forward = portforward(
        core.connect_get_namespaced_pod_portforward, pod, namespace, ports=port
    )
    connection = forward.socket(int(port))
    connection.settimeout(LIMIT)
    connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    answer = b""
    while piece := connection.recv(1 << 16):
        answer += piece
    if expected.encode() not in answer:
        sys.exit(f"port-forward: got {answer!r}")


objects_and_their_watch()
followed_log()
exec_with_input_and_exit_code()
port_forward()
print("done")
