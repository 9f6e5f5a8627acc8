package io.pipeops.agent.itests;

import java.util.Map;
import java.util.regex.Pattern;

/** What a chart renders, for those who have no Helm: {@code installer/manifests}. */
final class PlainManifests {
  private static final Pattern DOCUMENTS = Pattern.compile("(?m)^---\\n");

  private PlainManifests() {}

  static String of(Chart chart) {
    String name = chart.name();
    return of(
        chart,
        chart == Chart.AGENT
            ? "# Secret pipeops-agent-token (key token) is yours to make; url and cluster_name in the first ConfigMap are yours to set.\n"
            : "# Secrets "
                + name
                + "-tls (tls.crt, tls.key), "
                + name
                + "-admin-token and "
                + name
                + "-agent-token (key token) are yours to make.\n",
        Map.of("fullnameOverride", name));
  }

  static String of(Chart chart, String head, Map<String, Object> values) {
    StringBuilder all =
        new StringBuilder("# Generated from helm/" + chart.name() + "; do not edit.\n" + head);
    all.append("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: pipeops-system\n");
    all.append("  labels:\n    pod-security.kubernetes.io/enforce: restricted\n");
    for (String document : DOCUMENTS.split(chart.render(values))) {
      if (!document.isBlank() && !document.contains("helm.sh/hook:")) {
        all.append("---\n")
            .append(
                document
                    .replaceAll("(?m)^ *helm\\.sh/chart: .*\\n", "")
                    .replaceAll("(?m)^# Source: .*\\n", "")
                    .replace(
                        "app.kubernetes.io/managed-by: Helm",
                        "app.kubernetes.io/managed-by: kubectl"));
      }
    }
    return all.toString();
  }
}
