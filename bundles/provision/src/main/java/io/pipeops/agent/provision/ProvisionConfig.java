package io.pipeops.agent.provision;

import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;

/** Limits of switching and upgrading features; read from the settings, live. */
@ObjectClassDefinition(
    name = "Provisioning",
    description = "How features are switched and upgraded")
@interface ProvisionConfig {
  int DRAIN = 600;
  int HEALTH = 20;
  int START = 30;

  @AttributeDefinition(
      min = "0",
      max = "86400",
      description =
          "How long a former version of a feature may finish its streams after an upgrade, in"
              + " seconds")
  int drain_seconds() default DRAIN;

  @AttributeDefinition(
      min = "1",
      max = "3600",
      description =
          "How long a started feature may take to become healthy before it is taken back, in"
              + " seconds")
  int health_seconds() default HEALTH;

  @AttributeDefinition(
      min = "1",
      max = "3600",
      description = "How long the start of one bundle may take before it is taken back, in seconds")
  int start_seconds() default START;
}
