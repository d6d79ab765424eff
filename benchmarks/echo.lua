-- A 64 KiB body for POST /echo.
wrk.method = "POST"
wrk.body = string.rep("x", 65536)
