package io.pipeops.agent.sandbox;

import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;

/** Runs the embedded API by itself, for trying things out: the argument is the kubeconfig file. */
final class RunSandbox {
  private RunSandbox() {}

  public static void main(String[] args) throws Exception {
    SandboxServer server = new SandboxServer(Path.of(args[0]), 0, true);
    Runtime.getRuntime().addShutdownHook(new Thread(server::stop));
    new CountDownLatch(1).await();
  }
}
