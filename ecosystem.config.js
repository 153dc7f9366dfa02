// calbridge under pm2: `pm2 start ecosystem.config.js && pm2 save`.
// Run it from a folder of its own: the store is made in it, and the master key beside the store.
module.exports = {
  apps: [
    {
      name: "calbridge",
      script: "/usr/local/bin/calbridge",
      args: "serve",
      cwd: __dirname,
      // It is a program, not a script.
      interpreter: "none",
      // One process holds the store: never a cluster.
      exec_mode: "fork",
      instances: 1,
      // Longer than calbridge needs to finish what it has in hand.
      kill_timeout: 30000,
      // 73: the data cannot be used. 78: the settings are wrong. Starting again mends neither.
      stop_exit_codes: [73, 78],
      exp_backoff_restart_delay: 1000,
      env: {
        CALBRIDGE_LISTEN: "127.0.0.1:3001",
        CALBRIDGE_GOOGLE__CREDENTIALS_FILE: "google-credentials.json",
      },
    },
  ],
};
