package io.pipeops.agent.itests;

import com.marcnuri.helm.Helm;
import com.marcnuri.helm.InstallCommand;
import com.marcnuri.helm.UpgradeCommand;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** A chart installed on the cluster of the test. */
final class Release {
  private static final int WAIT_SECONDS = 180;

  private final Chart chart;
  private final String name;
  private final String namespace;
  private final Path kubeconfig;
  private final Map<String, Object> values = new LinkedHashMap<>();

  Release(Chart chart, String name, String namespace, Path kubeconfig) {
    this.chart = chart;
    this.name = name;
    this.namespace = namespace;
    this.kubeconfig = kubeconfig;
  }

  Release with(String key, Object value) {
    values.put(key, value);
    return this;
  }

  void install() {
    installation().waitReady().withTimeout(WAIT_SECONDS).call();
  }

  /** Without waiting until anything is ready. */
  void start() {
    installation().call();
  }

  private InstallCommand installation() {
    InstallCommand command =
        chart.helm().install().withName(name).withNamespace(namespace).withKubeConfig(kubeconfig);
    values.forEach(command::set);
    return command;
  }

  void upgrade() {
    UpgradeCommand command =
        chart.helm().upgrade().withName(name).withNamespace(namespace).withKubeConfig(kubeconfig);
    values.forEach(command::set);
    command.waitReady().withTimeout(WAIT_SECONDS).call();
  }

  void test() {
    Helm.test(name)
        .withNamespace(namespace)
        .withKubeConfig(kubeconfig)
        .withTimeout(WAIT_SECONDS)
        .call();
  }

  void uninstall() {
    Helm.uninstall(name)
        .withNamespace(namespace)
        .withKubeConfig(kubeconfig)
        .ignoreNotFound()
        .call();
  }
}
