#!/bin/sh
echo "Hello from an image that dray built, served and pulled."
