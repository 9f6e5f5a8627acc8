/**
 * Settings and features: {@link Provision} is the component, {@link Reconciler} its one thread,
 * {@link SettingsWatch} and the package {@code settings} say what is in force, the package {@code
 * features} brings what should run. Nothing else reads the environment or writes configurations.
 */
package io.pipeops.agent.provision;
